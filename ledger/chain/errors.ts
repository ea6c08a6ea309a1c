/**
 * Failures of everything that has to do with a chain. Callers match `code`; a code is never reused or re-meant. No message
 * holds a key, or more of an RPC address than its host: paths and queries of addresses are often access keys.
 */
export type ChainErrorCode =
  | 'NOT_LOOPBACK' // the embedded chain was asked to listen where others could reach it
  | 'RPC_UNREACHABLE' // no RPC address answered at all
  | 'RPC_TIMEOUT' // none answered in time; what was asked may still have happened
  | 'RPC_REFUSED' // a node answered with an error of its own
  | 'WRONG_CHAIN' // the genesis hash is another one: nothing was sent
  | 'TX_REJECTED' // the chain ran it, or would have, and said no; `reason` names the program's error
  | 'BLOCKHASH_EXPIRED' // it was not in time and can never land any more
  | 'INSUFFICIENT_FUNDS' // the wallet cannot pay the amount or the fee
  | 'PROGRAM_MISMATCH' // what lies at the program's address is not what was to be deployed or upgraded
  | 'BAD_KEYPAIR' // a key file that cannot be read
  | 'BAD_ADDRESS'

export interface Rejection {
  /** Index of the failed instruction; null when the transaction as a whole was refused. */
  readonly instruction: number | null
  /** The program's own number; null for errors of the runtime. */
  readonly custom: number | null
  /** The name of the error: the program's where it is known, else the runtime's. */
  readonly name: string
  readonly logs: readonly string[]
}

export class ChainError extends Error {
  readonly code: ChainErrorCode
  /** Only of `TX_REJECTED`. */
  readonly rejection: Rejection | null

  private constructor(code: ChainErrorCode, message: string, options?: ErrorOptions & { rejection?: Rejection }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'ChainError'
    this.code = code
    this.rejection = options?.rejection ?? null
  }

  static NOT_LOOPBACK(host: string): ChainError {
    return new ChainError(
      'NOT_LOOPBACK',
      `The embedded chain listens on this machine only, not on ${host}: whoever reaches it can print money.`,
    )
  }

  static RPC_UNREACHABLE(hosts: string, reason: string): ChainError {
    return new ChainError('RPC_UNREACHABLE', `No Solana RPC node could be reached (${hosts}): ${reason}.`)
  }

  static RPC_TIMEOUT(hosts: string, ms: number): ChainError {
    return new ChainError('RPC_TIMEOUT', `No Solana RPC node answered within ${ms} ms (${hosts}).`)
  }

  static RPC_REFUSED(host: string, message: string): ChainError {
    return new ChainError('RPC_REFUSED', `The Solana RPC node ${host} refused: ${message}`)
  }

  static WRONG_CHAIN(host: string, expected: string, found: string): ChainError {
    return new ChainError(
      'WRONG_CHAIN',
      `The RPC node ${host} is on another chain: its genesis hash is ${found}, not ${expected}. Nothing was sent.`,
    )
  }

  static TX_REJECTED(rejection: Rejection): ChainError {
    const where = rejection.instruction === null ? '' : ` in instruction ${rejection.instruction}`
    return new ChainError('TX_REJECTED', `The chain rejected the transaction${where}: ${rejection.name}`, { rejection })
  }

  static BLOCKHASH_EXPIRED(): ChainError {
    return new ChainError('BLOCKHASH_EXPIRED', 'The transaction was not taken in time and can never land any more.')
  }

  static INSUFFICIENT_FUNDS(message: string): ChainError {
    return new ChainError('INSUFFICIENT_FUNDS', message)
  }

  static PROGRAM_MISMATCH(message: string): ChainError {
    return new ChainError('PROGRAM_MISMATCH', message)
  }

  static BAD_KEYPAIR(message: string): ChainError {
    return new ChainError('BAD_KEYPAIR', message)
  }

  static BAD_ADDRESS(text: string): ChainError {
    return new ChainError('BAD_ADDRESS', `"${text.slice(0, 60)}" is no address of this chain.`)
  }
}
