/** One JSON-RPC request, or a batch of them, to its answer. No answer is given before what it tells is on the disk. */
import type { EmbeddedChain } from './chain.js'
import { METHODS } from './methods.js'
import type { Method } from './methods.js'
import { Params } from './params.js'
import { RpcError } from './rpc-error.js'

const MAX_BATCH = 100

export interface Call {
  readonly id: string | number | null
  readonly method: string
  readonly params: Params
}

/** The answer's text; null when nothing is to be said (notifications). */
export async function answer(chain: EmbeddedChain, text: string): Promise<string | null> {
  let request: unknown
  try {
    request = JSON.parse(text)
  } catch {
    return JSON.stringify(failure(null, RpcError.PARSE_ERROR()))
  }
  if (!Array.isArray(request)) {
    const one = await respond(chain, request)
    return one && JSON.stringify(one)
  }
  if (request.length === 0 || request.length > MAX_BATCH)
    return JSON.stringify(failure(null, RpcError.INVALID_REQUEST(`A batch has 1 to ${MAX_BATCH} requests`)))
  const answers: object[] = []
  for (const item of request) {
    const one = await respond(chain, item)
    if (one) answers.push(one)
  }
  return answers.length === 0 ? null : JSON.stringify(answers)
}

async function respond(chain: EmbeddedChain, request: unknown): Promise<object | null> {
  let id: Call['id'] = null
  try {
    const call = callOf(request)
    if (call === null) return null
    id = call.id
    const result = methodOf(call.method)(chain, call.params)
    await chain.durable()
    return { jsonrpc: '2.0', result, id }
  } catch (error) {
    return failure(id ?? idOf(request), error)
  }
}

/** null for a notification: something without an id, which nobody waits for. Throws `-32600`. */
export function callOf(request: unknown): Call | null {
  if (typeof request !== 'object' || request === null || Array.isArray(request)) throw RpcError.INVALID_REQUEST()
  const { method, params } = request as Readonly<Record<string, unknown>>
  if (typeof method !== 'string') throw RpcError.INVALID_REQUEST()
  if (params !== undefined && params !== null && !Array.isArray(params))
    throw RpcError.INVALID_PARAMS('Invalid params: they are a list.')
  if (!('id' in request)) return null
  return { id: idOf(request), method, params: new Params(params ?? []) }
}

export function failure(id: Call['id'], error: unknown): object {
  const rpc =
    error instanceof RpcError ? error : RpcError.INTERNAL(error instanceof Error ? error.message : 'Internal error')
  const { code, message, data } = rpc
  return { jsonrpc: '2.0', error: { code, message, ...(data === undefined ? {} : { data }) }, id }
}

function methodOf(name: string): Method {
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined
  if (!method) throw RpcError.METHOD_NOT_FOUND()
  return method
}

function idOf(request: unknown): Call['id'] {
  const id: unknown = typeof request === 'object' && request !== null && 'id' in request ? request.id : null
  return typeof id === 'string' || typeof id === 'number' ? id : null
}
