/** What can be asked of a llama engine, and what that means to its host process. */
import type { Patience } from './liveness.js'
import type { ModelIdentity, ModelProgress } from './model/identity.js'
import type { MemoryPlan } from './model/memory.js'
import type { KvType, LoadOptions, LogLevel } from './protocol.js'

export interface LlamaEngineOptions {
  /** A .gguf file, or the first part of a split one. */
  readonly path: string
  /** Threads of the computation; null = physical cores minus one. */
  readonly threads?: number | null
  /** Streams computed at once. Default: up to 4, fewer when memory is short. */
  readonly slots?: number | null
  /** Tokens per slot; default: the model's own length, at most 16,384, less when memory is short. */
  readonly contextSize?: number | null
  /** Tokens per prefill step: the granularity of interleaving and of prefix reuse. Default: 32 on a CPU, 512 on a GPU. */
  readonly batchSize?: number | null
  /** Groups of slots computed side by side. Default: 2 where one thread computes and another core is there, else 1. */
  readonly lanes?: number | null
  readonly flashAttention?: boolean
  readonly kvType?: KvType
  readonly gpu?: 'auto' | 'off'
  /** Which cached prefixes count: those a fresh run would compute alike to the bit, or all. */
  readonly reuse?: 'exact' | 'all'
  /** How resumed tokens get into the cache: one by one as they were drawn (same bits), or as part of the prompt (faster). */
  readonly resume?: 'decode' | 'prefill'
  /** Requests that may wait; default 64. */
  readonly queueLimit?: number
  readonly rootCacheFile?: string | null
  readonly notice?: string | null
  readonly onProgress?: (progress: ModelProgress) => void
  readonly log?: (level: LogLevel, text: string) => void
  /** Bytes that may be used; default: what the system says is available. */
  readonly availableMemory?: () => number
  readonly backoff?: Backoff
  /** When a host that says nothing is given up; default: after 15 s, or one batch of 10 minutes. */
  readonly patience?: Patience
}

/** Pauses between restarts, milliseconds. */
export interface Backoff {
  readonly first: number
  readonly most: number
}

export function loadOptions(identity: ModelIdentity, plan: MemoryPlan, options: LlamaEngineOptions): LoadOptions {
  const { threads = null, lanes = null, batchSize = null, flashAttention = false } = options
  const { kvType = 'F16', gpu = 'auto', reuse = 'exact', resume = 'decode' } = options
  return {
    path: identity.path,
    name: identity.name,
    threads,
    slots: plan.slots,
    contextSize: plan.contextSize,
    batchSize,
    lanes,
    flashAttention,
    kvType,
    gpu,
    reuse,
    resume,
  }
}
