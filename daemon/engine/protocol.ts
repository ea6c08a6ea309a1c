/**
 * What the daemon and its engine host say to each other, over Node's own IPC channel with structured clone. The host
 * process runs native code on foreign files, so the daemon checks every message that comes out of it (`checked`).
 */
import type { GenerateJob, Position, Runtime } from './port.js'
import type { EngineErrorContext } from './errors.js'
import { EVIDENCE_WINDOW, POSITION_BYTES } from './sampler/evidence.js'

export interface LoadOptions {
  /** First part of the model; further parts are found by the library. */
  readonly path: string
  readonly name: string
  readonly threads: number | null
  readonly slots: number
  /** Tokens per slot. */
  readonly contextSize: number
  /** Tokens per prefill step: the granularity of interleaving and of prefix reuse; null = 32 on a CPU, 512 on a GPU. */
  readonly batchSize: number | null
  /** Contexts side by side; null = 2 where one thread computes and another core is there, else 1. */
  readonly lanes: number | null
  readonly flashAttention: boolean
  readonly kvType: KvType
  readonly gpu: 'auto' | 'off'
  readonly reuse: 'exact' | 'all'
  readonly resume: 'decode' | 'prefill'
}

export type KvType = 'F16' | 'F32' | 'Q8_0'

export type ToChild =
  | { readonly type: 'load'; readonly options: LoadOptions }
  | {
      readonly type: 'generate'
      readonly id: number
      readonly job: HostJob
      readonly credit: number
      /** Nothing is computed before `go`. */
      readonly held: boolean
      /** Gather what an audit asks for. */
      readonly evidence: boolean
    }
  | { readonly type: 'go'; readonly id: number }
  | { readonly type: 'credit'; readonly id: number; readonly events: number }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'embed'; readonly id: number; readonly inputs: readonly (string | readonly number[])[] }
  | { readonly type: 'ping' }
  | { readonly type: 'close' }

/** A job as it travels to the child: functions stay behind. */
export type HostJob = Omit<GenerateJob, 'party' | 'hold' | 'evidence'>

export interface LoadedFacts {
  readonly contextLength: number
  readonly vocabulary: number
  readonly slots: number
  readonly chat: boolean
  readonly thoughts: boolean
  readonly embeddings: boolean
  /** The chat template's text; null = there is none. */
  readonly template: string | null
  readonly runtime: Runtime
}

export type FromChild =
  | { readonly type: 'progress'; readonly done: number; readonly total: number }
  | { readonly type: 'ready'; readonly facts: LoadedFacts }
  | { readonly type: 'failed'; readonly error: WireError }
  | {
      readonly type: 'admitted'
      readonly id: number
      readonly promptTokens: number
      readonly cachedTokens: number
      /** null: nothing is gathered. */
      readonly prompt: Uint32Array | null
    }
  | { readonly type: 'prefill'; readonly id: number; readonly done: number; readonly total: number }
  | {
      readonly type: 'tokens'
      readonly id: number
      readonly index: number
      readonly tokens: readonly number[]
      readonly channel: 'text' | 'thought'
      readonly text: string
      readonly positions: readonly Position[] | null
    }
  /** `EvidenceSink.block` of the port. */
  | { readonly type: 'evidence'; readonly id: number; readonly index: number; readonly positions: Uint8Array }
  | {
      readonly type: 'done'
      readonly id: number
      readonly finish: 'stop' | 'length'
      readonly stopText: string | null
      readonly usage: {
        readonly prompt: number
        readonly cached: number
        readonly output: number
        readonly thought: number
      }
    }
  | {
      readonly type: 'vectors'
      readonly id: number
      readonly vectors: readonly Float32Array[]
      readonly promptTokens: number
    }
  | { readonly type: 'error'; readonly id: number; readonly error: WireError }
  /** The answer to `ping`: the number of the batch that each context computes, null = none. */
  | { readonly type: 'pong'; readonly computing: readonly (number | null)[] }
  | { readonly type: 'log'; readonly level: LogLevel; readonly text: string }

export interface WireError {
  readonly code: string
  readonly message: string
  readonly context: EngineErrorContext
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** One line of native code's chatter is cut here. */
export const LOG_LINE_LIMIT = 2_000

type Fields = Readonly<Record<string, unknown>>

/** The message, or null when it is none of ours: a host that talks nonsense is treated as crashed. */
export function checked(message: unknown): FromChild | null {
  if (typeof message !== 'object' || message === null) return null
  const fields = message as Fields
  const type = fields['type']
  const check = typeof type === 'string' ? CHECKS[type] : undefined
  return check !== undefined && check(fields) ? (message as FromChild) : null
}

const CHECKS: Readonly<Record<string, (fields: Fields) => boolean>> = {
  progress: (f) => count(f['done']) && count(f['total']),
  ready: (f) =>
    record(
      f['facts'],
      (facts) =>
        count(facts['contextLength']) &&
        count(facts['vocabulary']) &&
        count(facts['slots']) &&
        (facts['template'] === null || typeof facts['template'] === 'string'),
    ),
  failed: (f) => wireError(f['error']),
  admitted: (f) =>
    count(f['id']) &&
    count(f['promptTokens']) &&
    count(f['cachedTokens']) &&
    (f['prompt'] === null || f['prompt'] instanceof Uint32Array),
  prefill: (f) => count(f['id']) && count(f['done']) && count(f['total']),
  tokens: (f) =>
    count(f['id']) &&
    count(f['index']) &&
    Array.isArray(f['tokens']) &&
    f['tokens'].every(count) &&
    (f['channel'] === 'text' || f['channel'] === 'thought') &&
    typeof f['text'] === 'string' &&
    (f['positions'] === null || Array.isArray(f['positions'])),
  evidence: (f) =>
    count(f['id']) &&
    count(f['index']) &&
    f['positions'] instanceof Uint8Array &&
    f['positions'].byteLength > 0 &&
    f['positions'].byteLength <= EVIDENCE_WINDOW * POSITION_BYTES &&
    f['positions'].byteLength % POSITION_BYTES === 0,
  done: (f) =>
    count(f['id']) &&
    (f['finish'] === 'stop' || f['finish'] === 'length') &&
    record(f['usage'], (usage) => ['prompt', 'cached', 'output', 'thought'].every((key) => count(usage[key]))),
  vectors: (f) =>
    count(f['id']) &&
    count(f['promptTokens']) &&
    Array.isArray(f['vectors']) &&
    f['vectors'].every((vector) => vector instanceof Float32Array),
  error: (f) => count(f['id']) && wireError(f['error']),
  pong: (f) => Array.isArray(f['computing']) && f['computing'].every((batch) => batch === null || count(batch)),
  log: (f) => typeof f['level'] === 'string' && typeof f['text'] === 'string',
}

function count(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function record(value: unknown, check: (fields: Fields) => boolean): boolean {
  return typeof value === 'object' && value !== null && check(value as Fields)
}

function wireError(value: unknown): boolean {
  return record(value, (error) => typeof error['code'] === 'string' && typeof error['message'] === 'string')
}
