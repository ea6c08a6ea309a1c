/**
 * What is said on the control socket. One JSON value a line, UTF-8, `\n` at the end:
 *
 *     server  {"hello": {"protocol": 1, "version": "0.1.0", "pid": 4711}}                first, unasked
 *     client  {"id": 1, "method": "snapshot" | "subscribe" | "stop"}
 *     client  {"id": 1, "method": "explain", "params": RouteQuestion}
 *     server  {"id": 1, "result": …} or {"id": 1, "error": {"code": "…", "message": "…"}}
 *     server  {"event": "snapshot", "snapshot": …}                                       after subscribe
 *     client  {"id": 2, "method": "history" | "budget" | "desk", "params": …}
 *     server  {"id": 2, "item": …} as often as there is something, then {"id": 2, "result": {}} or an error
 *
 * `snapshot` answers a NodeSnapshot. `subscribe` answers one and sends further ones as the node changes. `explain` answers a
 * RouteView (route.ts). `stop` answers `{"stopping": true}`; the node then ends, and with it the connection. `history`,
 * `budget` and `desk` (daemon/chain/desk-request.ts) answer with a stream: an item is sent when the one before it has left,
 * and closing the connection ends the work behind it. Unknown methods are an error, unknown fields are ignored.
 */
import type { NodeSnapshot } from './snapshot.js'

export const CONTROL_PROTOCOL = 1
/** A request is a few words, or a sentence to search for. */
export const MAX_REQUEST_BYTES = 16_384
/** A snapshot of 2,000 offers and 256 peers is below 2 MiB. */
export const MAX_ANSWER_BYTES = 16 * 1_048_576
/** Changes within this time travel as one. */
export const COALESCE_MS = 100
export const MAX_CLIENTS = 32

export const METHODS = ['snapshot', 'subscribe', 'explain', 'stop'] as const
export type Method = (typeof METHODS)[number]

export interface ControlRequest {
  readonly id: number
  readonly method: string
  /** As it came; null when there is none. */
  readonly params: unknown
}

export interface Hello {
  readonly protocol: number
  readonly version: string
  readonly pid: number
}

export type ControlMessage =
  | { readonly hello: Hello }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly item: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } }
  | { readonly event: 'snapshot'; readonly snapshot: NodeSnapshot }

/** null when the line is no request. */
export function parseRequest(line: string): ControlRequest | null {
  const value = parseObject(line)
  if (value === null) return null
  const { id, method, params = null } = value
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || typeof method !== 'string') return null
  return { id, method, params }
}

/** null when the line is no message of this protocol. The daemon is trusted with the inside of a snapshot. */
export function parseMessage(line: string): ControlMessage | null {
  const value = parseObject(line)
  if (value === null) return null
  const { hello, id, result, item, error, event, snapshot } = value
  if (
    isObject(hello) &&
    typeof hello['protocol'] === 'number' &&
    typeof hello['version'] === 'string' &&
    typeof hello['pid'] === 'number'
  ) {
    return { hello: { protocol: hello['protocol'], version: hello['version'], pid: hello['pid'] } }
  }
  if (event === 'snapshot' && isSnapshot(snapshot)) return { event, snapshot }
  if (typeof id !== 'number') return null
  if (isObject(error) && typeof error['code'] === 'string' && typeof error['message'] === 'string') {
    return { id, error: { code: error['code'], message: error['message'] } }
  }
  if (item !== undefined) return { id, item }
  return result === undefined ? null : { id, result }
}

export function isSnapshot(value: unknown): value is NodeSnapshot {
  return (
    isObject(value) &&
    typeof value['pid'] === 'number' &&
    Array.isArray(value['served']) &&
    Array.isArray(value['models'])
  )
}

function parseObject(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
