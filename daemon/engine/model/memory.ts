/**
 * How much memory a model takes before it is loaded: weights, the attention cache of every slot, working buffers. An
 * estimate from the header alone, shown by `swarmd doctor` and in the refusal.
 */
import { freemem } from 'node:os'
import { readFileSync } from 'node:fs'
import { EngineError } from '../errors.js'
import type { GgufHeader } from './gguf.js'
import type { ModelIdentity } from './identity.js'

export interface MemoryWishes {
  readonly slots?: number | null
  readonly contextSize?: number | null
  readonly batchSize?: number | null
  readonly kvType?: 'F16' | 'F32' | 'Q8_0'
  readonly availableMemory?: () => number
}

export interface MemoryPlan {
  readonly slots: number
  /** Tokens per slot. */
  readonly contextSize: number
  /** Bytes. */
  readonly weights: number
  readonly cache: number
  readonly working: number
  readonly total: number
  readonly available: number
}

const DEFAULT_SLOTS = 4
const DEFAULT_CONTEXT = 16_384
const SMALLEST_CONTEXT = 2_048
/** Left to everything else on the machine. */
const RESERVE = 0.1

/** Throws `OUT_OF_MEMORY` with the numbers when even the smallest wish does not fit, or `BAD_REQUEST` for a wish out of range. */
export function planMemory(identity: ModelIdentity, wishes: MemoryWishes): MemoryPlan {
  const trained = number(identity.header, 'context_length') ?? SMALLEST_CONTEXT
  const asked = wishes.contextSize ?? null
  if (asked !== null && (!Number.isInteger(asked) || asked < 16))
    throw EngineError.BAD_REQUEST(`a context size of ${asked} makes no sense`)
  if (asked !== null && asked > trained) {
    throw EngineError.BAD_REQUEST(
      `a context size of ${asked} is more than the ${trained} tokens ${identity.name} was trained for`,
    )
  }
  if (
    wishes.slots !== undefined &&
    wishes.slots !== null &&
    (!Number.isInteger(wishes.slots) || wishes.slots < 1 || wishes.slots > 64)
  ) {
    throw EngineError.BAD_REQUEST(`${wishes.slots} slots are out of range (1 to 64)`)
  }
  const available = Math.floor((wishes.availableMemory ?? availableMemory)() * (1 - RESERVE))
  let slots = wishes.slots ?? DEFAULT_SLOTS
  let contextSize = asked ?? Math.min(trained, DEFAULT_CONTEXT)
  for (;;) {
    const plan = estimate(identity, slots, contextSize, wishes, available)
    if (plan.total <= available) return plan
    const smaller = Math.max(Math.min(SMALLEST_CONTEXT, trained), contextSize / 2)
    if (asked === null && smaller < contextSize) contextSize = Math.floor(smaller)
    else if ((wishes.slots ?? null) === null && slots > 1) slots--
    else throw refusal(identity, plan)
  }
}

function estimate(
  identity: ModelIdentity,
  slots: number,
  contextSize: number,
  wishes: MemoryWishes,
  available: number,
): MemoryPlan {
  const { header } = identity
  const weights = identity.fileBytes
  const cache = slots * contextSize * cacheBytesPerToken(header, wishes.kvType ?? 'F16')
  const batch = Math.min(wishes.batchSize ?? 512, contextSize)
  const width = number(header, 'embedding_length') ?? 4096
  const inner = number(header, 'feed_forward_length') ?? 4 * width
  const heads = number(header, 'attention.head_count') ?? 32
  const vocabulary = vocabularySize(header)
  // Activations, attention scores without flash attention, logits of every slot, and the process itself.
  const working =
    4 * batch * (4 * width + 2 * inner + heads * contextSize) + 4 * vocabulary * (slots + batch / 8) + 150e6
  const total = Math.ceil(weights + cache + working)
  return { slots, contextSize, weights, cache, working: Math.ceil(working), total, available }
}

const CACHE_BYTES = { F16: 2, F32: 4, Q8_0: 34 / 32 }

function cacheBytesPerToken(header: GgufHeader, type: keyof typeof CACHE_BYTES): number {
  const layers = number(header, 'block_count') ?? 32
  const width = number(header, 'embedding_length') ?? 4096
  const heads = number(header, 'attention.head_count') ?? 32
  const kvHeads = number(header, 'attention.head_count_kv') ?? heads
  const key = number(header, 'attention.key_length') ?? width / heads
  const value = number(header, 'attention.value_length') ?? width / heads
  return layers * kvHeads * (key + value) * CACHE_BYTES[type]
}

/** An architecture's number; the largest when it differs by layer. */
function number(header: GgufHeader, key: string): number | null {
  const architecture = header.metadata.get('general.architecture')
  if (typeof architecture !== 'string') return null
  const value = header.metadata.get(`${architecture}.${key}`)
  if (typeof value === 'number') return value
  return Array.isArray(value) && value.length > 0 ? Math.max(...(value as readonly number[])) : null
}

export function vocabularySize(header: GgufHeader): number {
  const tokens = header.metadata.get('tokenizer.ggml.tokens')
  return typeof tokens === 'object' ? tokens.length : 0
}

/** Memory that can be used without swapping. Linux counts its page cache in, which `os.freemem` does not. */
export function availableMemory(): number {
  try {
    const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]
    return kilobytes === undefined ? freemem() : Number(kilobytes) * 1024
  } catch {
    return freemem()
  }
}

function refusal(identity: ModelIdentity, plan: MemoryPlan): EngineError {
  const mb = (bytes: number): string => `${Math.ceil(bytes / 1e6).toLocaleString('en')} MB`
  return EngineError.OUT_OF_MEMORY(
    `${identity.name} needs about ${mb(plan.total)} (weights ${mb(plan.weights)}, cache ${mb(plan.cache)} for ${plan.slots} ` +
      `slot${plan.slots === 1 ? '' : 's'} of ${plan.contextSize} tokens, working memory ${mb(plan.working)}), ` +
      `but only ${mb(plan.available)} can be used: ask for fewer slots, a smaller context or a smaller quantisation`,
    plan.total,
    plan.available,
  )
}
