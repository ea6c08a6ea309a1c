/**
 * Refusals of the JSON-RPC server, with the numbers and texts of real nodes (Agave `rpc-client-api/src/custom_error.rs`,
 * JSON-RPC 2.0 section 5.1): clients match both.
 */
export type RpcErrorCode = -32700 | -32600 | -32601 | -32602 | -32603 | -32002 | -32003 | -32015 | -32016

export class RpcError extends Error {
  readonly code: RpcErrorCode
  readonly data: unknown

  private constructor(code: RpcErrorCode, message: string, data?: unknown) {
    super(message)
    this.name = 'RpcError'
    this.code = code
    this.data = data
  }

  static PARSE_ERROR(): RpcError {
    return new RpcError(-32700, 'Parse error')
  }

  static INVALID_REQUEST(message = 'Invalid request'): RpcError {
    return new RpcError(-32600, message)
  }

  static METHOD_NOT_FOUND(): RpcError {
    return new RpcError(-32601, 'Method not found')
  }

  static INVALID_PARAMS(message: string): RpcError {
    return new RpcError(-32602, message)
  }

  static INTERNAL(message: string): RpcError {
    return new RpcError(-32603, message)
  }

  /** `data` is what simulateTransaction would have answered. */
  static PREFLIGHT_FAILURE(reason: string, data: unknown): RpcError {
    return new RpcError(-32002, `Transaction simulation failed: ${reason}`, data)
  }

  static SIGNATURE_VERIFICATION_FAILURE(): RpcError {
    return new RpcError(-32003, 'Transaction signature verification failure')
  }

  static UNSUPPORTED_TRANSACTION_VERSION(version: number): RpcError {
    return new RpcError(
      -32015,
      `Transaction version (${version}) is not supported by the requesting client. Please try the request again with the following configuration parameter: "maxSupportedTransactionVersion": ${version}`,
    )
  }

  static MIN_CONTEXT_SLOT_NOT_REACHED(contextSlot: number): RpcError {
    return new RpcError(-32016, 'Minimum context slot has not been reached', { contextSlot })
  }
}
