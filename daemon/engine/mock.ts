/**
 * An engine that computes nothing, with exact timing, for tests and benches. It says so in its name, and `mock: true` keeps it
 * off public networks. Answers are deterministic: the words of `TEXT`, from a start that the seed picks, one token each.
 */
import { setImmediate } from 'node:timers/promises'
import { AdmissionQueue } from './admission.js'
import { EngineError } from './errors.js'
import type { EmbedJob, Engine, EngineEvent, EngineLoad, GenerateJob, ModelInfo } from './port.js'

export interface MockEngineOptions {
  /** Without the `mock-` that is put before it. */
  readonly name?: string
  /** Output tokens per second of one stream; 0 = as fast as they are read. */
  readonly tokensPerSecond?: number
  /** Prompt tokens per second; 0 = at once. */
  readonly prefillTokensPerSecond?: number
  /** Time from admission to the first token, milliseconds, on top of the prefill. */
  readonly firstTokenMs?: number
  readonly slots?: number
  readonly queueLimit?: number
  readonly contextLength?: number
  /** Tokens of an answer without `maxTokens`, end of generation included. */
  readonly answerTokens?: number
  /** Most tokens in one event when the reader is slower than the mock. */
  readonly tokensPerEvent?: number
  readonly clock?: MockClock
}

export interface MockClock {
  /** Milliseconds. */
  now(): number
  /** Ends early when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}

interface Turn {
  readonly party: string
  readonly start: () => void
}

const TEXT = 'This is a mock answer , it was not computed by any model , every word of it is fixed . '.split(/(?<= )/)
const VOCABULARY = TEXT.length + 1
/** The last token of the vocabulary ends an answer. */
const END_TOKEN = TEXT.length
const VECTOR = 16

export class MockEngine implements Engine {
  readonly info: ModelInfo
  readonly #options: Required<MockEngineOptions>
  readonly #queue: AdmissionQueue<Turn>
  #active = 0
  #state: EngineLoad['state'] = 'loading'
  readonly #closing = new AbortController()

  constructor(options: MockEngineOptions = {}) {
    this.#options = { ...DEFAULTS, ...options }
    const { slots, contextLength, queueLimit } = this.#options
    const name = `mock-${this.#options.name}:f32`
    this.#queue = new AdmissionQueue(queueLimit)
    this.info = {
      // Not a hash of anything: names of mocks are their identity.
      root: Uint8Array.from({ length: 32 }, (_, i) => Buffer.from(name)[i] ?? 0),
      name,
      quantisation: 'f32',
      architecture: 'mock',
      parameters: 0,
      fileBytes: 0,
      contextLength,
      vocabulary: VOCABULARY,
      slots,
      chat: true,
      thoughts: false,
      embeddings: true,
      mock: true,
      notice: 'mock engine: answers are fixed words, nothing is computed',
      runtime: {
        library: 'mock',
        release: '1',
        backend: 'none',
        cpuVariant: 'none',
        flashAttention: false,
        kvTypes: 'none',
        batchSize: 1,
      },
    }
  }

  get load(): EngineLoad {
    const { slots, queueLimit } = this.#options
    return { active: this.#active, queued: this.#queue.length, slots, queueLimit, state: this.#state }
  }

  ready(): Promise<void> {
    if (this.#state === 'loading') this.#state = 'ready'
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.#state = 'closed'
    this.#closing.abort(EngineError.ENGINE_CLOSED())
    return Promise.resolve()
  }

  async *generate(job: GenerateJob, signal: AbortSignal): AsyncGenerator<EngineEvent, void, undefined> {
    if (this.#state === 'loading') throw EngineError.ENGINE_NOT_READY()
    const stop = AbortSignal.any([signal, this.#closing.signal])
    const promptTokens = countTokens(job.prompt)
    if (promptTokens + 1 > this.#options.contextLength) {
      throw EngineError.CONTEXT_LENGTH_EXCEEDED(promptTokens, this.#options.contextLength)
    }
    yield* this.#admit(job.party, stop)
    try {
      yield { type: 'admitted', promptTokens, cachedTokens: 0 }
      await job.hold?.()
      throwIfStopped(stop)
      yield* this.#prefill(promptTokens, stop)
      yield* this.#answer(job, promptTokens, stop)
    } finally {
      this.#release()
    }
  }

  embed(
    job: EmbedJob,
    signal: AbortSignal,
  ): Promise<{ readonly vectors: readonly Float32Array[]; readonly promptTokens: number }> {
    if (signal.aborted) return Promise.reject(EngineError.CANCELLED())
    const lengths = job.inputs.map((input) => (typeof input === 'string' ? countWords(input) : input.length))
    return Promise.resolve({
      vectors: job.inputs.map(vectorOf),
      promptTokens: lengths.reduce((sum, length) => sum + length, 0),
    })
  }

  /** Waits for a slot, saying where in the queue it stands. */
  async *#admit(party: string, stop: AbortSignal): AsyncGenerator<EngineEvent, void, undefined> {
    throwIfStopped(stop)
    if (this.#active < this.#options.slots) {
      this.#active++
      return
    }
    let start: () => void = () => undefined
    const started = new Promise<void>((resolve) => {
      start = resolve
    })
    const turn: Turn = { party, start }
    if (!this.#queue.push(turn)) throw EngineError.QUEUE_FULL(this.#options.queueLimit)
    const leave = (): void => start()
    stop.addEventListener('abort', leave, { once: true })
    try {
      yield { type: 'queued', position: this.#queue.order().indexOf(turn) }
      await started
    } finally {
      stop.removeEventListener('abort', leave)
      // Whoever is still in the queue here got no slot: cancelled, or its reader left.
      if (this.#queue.remove(turn)) throwIfStopped(stop)
    }
  }

  #release(): void {
    const next = this.#queue.next()
    if (next === null) this.#active--
    else next.start()
  }

  async *#prefill(total: number, stop: AbortSignal): AsyncGenerator<EngineEvent, void, undefined> {
    const { prefillTokensPerSecond, firstTokenMs, clock } = this.#options
    const start = clock.now()
    if (prefillTokensPerSecond > 0) {
      const duration = (total / prefillTokensPerSecond) * 1000
      for (let reported = 0; reported < duration;) {
        reported = Math.min(duration, reported + 500)
        await sleepUntil(start + reported, clock, stop)
        yield { type: 'prefill', done: Math.floor((total * reported) / duration), total }
      }
    }
    await sleepUntil(
      start + (prefillTokensPerSecond > 0 ? (total / prefillTokensPerSecond) * 1000 : 0) + firstTokenMs,
      clock,
      stop,
    )
  }

  async *#answer(
    job: GenerateJob,
    promptTokens: number,
    stop: AbortSignal,
  ): AsyncGenerator<EngineEvent, void, undefined> {
    const { tokensPerSecond, tokensPerEvent, answerTokens, contextLength, clock } = this.#options
    const room = contextLength - promptTokens
    const limit = Math.min(job.maxTokens ?? answerTokens, room)
    const ends = job.maxTokens === null && answerTokens <= room
    const offset = Number(job.sampling.seed % BigInt(TEXT.length))
    const start = clock.now()
    let index = job.resume.length
    while (index < limit) {
      throwIfStopped(stop)
      let due = limit
      if (tokensPerSecond > 0) {
        await sleepUntil(start + ((index - job.resume.length + 1) / tokensPerSecond) * 1000, clock, stop)
        due =
          job.resume.length +
          Math.max(index - job.resume.length + 1, Math.floor(((clock.now() - start) / 1000) * tokensPerSecond))
      } else if (index % YIELD_EVERY === 0) {
        await setImmediate()
      }
      const count = Math.max(1, Math.min(tokensPerEvent, due - index, limit - index))
      yield tokensEvent(index, count, offset, ends ? limit - 1 : -1)
      index += count
    }
    yield {
      type: 'done',
      finish: ends ? 'stop' : 'length',
      stopText: null,
      usage: { prompt: promptTokens, cached: 0, output: Math.max(index, job.resume.length), thought: 0 },
    }
  }
}

const DEFAULTS: Required<MockEngineOptions> = {
  name: 'words',
  tokensPerSecond: 0,
  prefillTokensPerSecond: 0,
  firstTokenMs: 0,
  slots: 64,
  queueLimit: 1024,
  contextLength: 16_384,
  answerTokens: 32,
  tokensPerEvent: 16,
  clock: { now: () => performance.now(), sleep },
}

/** Tokens after which an instant stream lets others run. */
const YIELD_EVERY = 256

function tokensEvent(index: number, count: number, offset: number, end: number): EngineEvent {
  const tokens: number[] = []
  let text = ''
  for (let i = index; i < index + count; i++) {
    const token = i === end ? END_TOKEN : (i + offset) % TEXT.length
    tokens.push(token)
    text += TEXT[token] ?? ''
  }
  return { type: 'tokens', index, tokens, channel: 'text', text, positions: null }
}

function countTokens(prompt: GenerateJob['prompt']): number {
  if (prompt.kind === 'tokens') return prompt.tokens.length
  if (prompt.kind === 'text') return countWords(prompt.text)
  return prompt.messages.reduce((sum, message) => sum + countWords(message.content) + 1, 0)
}

function countWords(text: string): number {
  return text.split(/\s+/).filter((word) => word !== '').length
}

/** Depends on the input alone; unit length. */
function vectorOf(input: string | readonly number[]): Float32Array {
  const bytes = Buffer.from(typeof input === 'string' ? input : input.join(' '))
  const vector = new Float32Array(VECTOR)
  for (const [i, byte] of bytes.entries()) vector[i % VECTOR] = (vector[i % VECTOR] ?? 0) + byte + 1
  const length = Math.hypot(...vector) || 1
  return vector.map((x) => x / length)
}

function throwIfStopped(stop: AbortSignal): void {
  if (!stop.aborted) return
  throw stop.reason instanceof EngineError ? stop.reason : EngineError.CANCELLED()
}

async function sleepUntil(time: number, clock: MockClock, stop: AbortSignal): Promise<void> {
  for (let left = time - clock.now(); left > 0; left = time - clock.now()) {
    throwIfStopped(stop)
    await clock.sleep(left, stop)
  }
  throwIfStopped(stop)
}

/** Timers are late by up to a millisecond: the last stretch is waited for in turns of the event loop. */
function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  if (milliseconds < 2) return setImmediate()
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, milliseconds - 1)
    signal.addEventListener('abort', done, { once: true })
  })
}
