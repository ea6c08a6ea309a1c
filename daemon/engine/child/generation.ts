/** One request on one slot: read the prompt in chunks, then draw token after token until it ends. */
import type { Token } from 'node-llama-cpp'
import type { Position } from '../port.js'
import type { FromChild, HostJob } from '../protocol.js'
import { Evidence, KEPT_TOP } from '../sampler/evidence.js'
import { IcdfSampler } from '../sampler/icdf.js'
import { AnswerText } from '../text/answer.js'
import type { Segment } from '../text/thoughts.js'
import type { Logits } from './lane.js'
import type { LoadedModel } from './model.js'
import type { Prompt } from './prompt.js'
import { samplerConfig } from './sampler-config.js'
import type { Slot } from './slot-table.js'

export interface GenerationOptions {
  readonly id: number
  readonly job: HostJob
  readonly prompt: Prompt
  readonly slot: Slot
  readonly loaded: LoadedModel
  readonly resume: 'decode' | 'prefill'
  readonly signal: AbortSignal
  /** Awaited before anything is computed; null = nothing to wait for. Resolves at a cancel, too. */
  readonly hold: Promise<void> | null
  /** Gather what an audit asks for. */
  readonly evidence: boolean
  /** Messages travel together at the end of a turn of the event loop, or with the next `flush`. */
  readonly send: (message: FromChild) => void
  readonly flush: () => void
  /** Resolves when the reader of this stream may be sent one more event; null when that is so at once. */
  readonly credit: () => Promise<void> | null
}

/** A prompt being read says how far it is at least this often, milliseconds. */
const PROGRESS_INTERVAL = 900

export class Generation {
  readonly #options: GenerationOptions
  readonly #sampler: IcdfSampler
  readonly #answer: AnswerText
  readonly #evidence: Evidence | null
  #output = 0

  constructor(options: GenerationOptions) {
    const { id, loaded, job, prompt, evidence, send } = options
    this.#options = options
    this.#evidence = evidence
      ? new Evidence(job.resume.length, (index, positions) => send({ type: 'evidence', id, index, positions }))
      : null
    this.#sampler = new IcdfSampler(job.sampling, (token) => loaded.model.isEogToken(token as Token))
    this.#answer = new AnswerText({
      vocabulary: loaded.vocabulary,
      markers: loaded.markers,
      insideThought: prompt.insideThought,
      stop: job.stop,
    })
  }

  async run(): Promise<void> {
    const { signal } = this.#options
    // A cut answer is owed for at once: its evidence does not wait for the batch that is being computed. `done` is sent last.
    const flush = (): void => this.#evidence?.flush()
    signal.addEventListener('abort', flush, { once: true })
    try {
      await this.#run()
    } finally {
      flush()
      signal.removeEventListener('abort', flush)
    }
  }

  async #run(): Promise<void> {
    const { id, job, prompt, slot, send, loaded } = this.#options
    const replayed = this.#options.resume === 'decode' ? job.resume : []
    const read = replayed.length > 0 ? prompt.tokens : [...prompt.tokens, ...job.resume]
    slot.configure(samplerConfig(loaded, job))
    const cached = await slot.rewind(read)
    send({
      type: 'admitted',
      id,
      promptTokens: prompt.tokens.length,
      cachedTokens: Math.min(cached, prompt.tokens.length),
      prompt: this.#evidence && Uint32Array.from(prompt.tokens),
    })
    if (this.#options.hold !== null) await this.#options.hold
    this.#options.signal.throwIfAborted()
    const capacity = loaded.facts.contextLength - prompt.tokens.length
    const limit = Math.min(job.maxTokens ?? capacity, capacity)
    const finish = this.#recall(limit)
    if (finish === null) return this.#decode(await this.#read(read, cached, replayed), limit, cached)
    this.#finish(finish, cached)
  }

  /** Puts the resumed tokens through the text state, silently; says how they end the answer, if they do. */
  #recall(limit: number): 'stop' | 'length' | null {
    for (const token of this.#options.job.resume) {
      this.#sampler.accept(token)
      this.#answer.push(token)
      this.#output++
      if (this.#ends(token)) return 'stop'
    }
    return this.#output >= limit ? 'length' : null
  }

  /**
   * Reads the prompt in chunks, then replays resumed tokens one by one, as they were drawn: their cache then has the
   * same bits as in the stream they come from. Returns the logits after the last one.
   */
  async #read(prompt: readonly number[], from: number, replayed: readonly number[]): Promise<Logits> {
    const { id, loaded, send } = this.#options
    const { chunk: chunkSize } = loaded
    const total = prompt.length + replayed.length
    let done = from
    const report = (): void => send({ type: 'prefill', id, done, total })
    const heartbeat = setInterval(report, PROGRESS_INTERVAL)
    try {
      let logits: Logits = []
      while (done < total) {
        // Chunks end at multiples of the chunk size, so that a prompt is computed alike with and without a cached prefix.
        const chunk = prompt.slice(done, (Math.floor(done / chunkSize) + 1) * chunkSize)
        const tokens = chunk.length > 0 ? chunk : replayed.slice(done - prompt.length, done - prompt.length + 1)
        logits = await this.#evaluate(tokens, { prefilled: chunk.length > 0, logits: done + tokens.length === total })
        done += tokens.length
        if (chunk.length > 0) report()
      }
      return logits
    } finally {
      clearInterval(heartbeat)
    }
  }

  /** The next token is being computed while the last one is told. */
  async #decode(first: Logits, limit: number, cached: number): Promise<void> {
    const { slot } = this.#options
    let logits = first
    slot.enter()
    try {
      for (;;) {
        const { token, logprob } = this.#sampler.draw(logits, this.#output)
        this.#sampler.accept(token)
        const tell = this.#take(token, logprob)
        const finish = this.#ends(token) ? 'stop' : this.#output >= limit ? 'length' : null
        if (finish !== null) {
          tell()
          return this.#finish(finish, cached)
        }
        const waiting = this.#pause()
        const early = logits === first || waiting !== null
        if (early) tell()
        // A stream's first token is awaited by somebody: it leaves before anything else is computed.
        if (logits === first) this.#options.flush()
        if (waiting !== null) await waiting
        const next = this.#evaluate([token], DRAWN)
        if (!early) tell()
        logits = await next
      }
    } finally {
      slot.leave()
    }
  }

  #ends(token: number): boolean {
    return this.#answer.stopText !== null || this.#options.loaded.model.isEogToken(token as Token)
  }

  /** Puts the token into the answer; the returned function tells the daemon. */
  #take(token: number, logprob: number): () => void {
    const { logprobs } = this.#options.job
    const index = this.#output++
    const segments = this.#answer.push(token)
    const positions = logprobs === null ? null : [this.#position(token, logprob, logprobs)]
    return () => {
      this.#evidence?.add(token, this.#sampler)
      this.#sendSegments(index, [token], segments, positions)
    }
  }

  /** The token goes with the first piece of text; a second channel's text follows in an event without tokens. */
  #sendSegments(
    index: number,
    tokens: readonly number[],
    segments: readonly Segment[],
    positions: readonly Position[] | null,
  ): void {
    const { id, send } = this.#options
    const [first = { channel: this.#answer.channel, text: '' }, ...rest] = segments
    send({ type: 'tokens', id, index, tokens, channel: first.channel, text: first.text, positions })
    for (const { channel, text } of rest) {
      send({
        type: 'tokens',
        id,
        index: this.#output,
        tokens: [],
        channel,
        text,
        positions: positions === null ? null : [],
      })
    }
  }

  #position(token: number, logprob: number, wanted: number): Position {
    const { vocabulary } = this.#options.loaded
    const top = this.#sampler.top(Math.max(wanted, KEPT_TOP))
    return {
      token,
      logprob,
      bytes: vocabulary.bytes(token),
      top: top.map((entry) => ({ ...entry, bytes: vocabulary.bytes(entry.token) })),
    }
  }

  #finish(finish: 'stop' | 'length', cached: number): void {
    const { id, prompt, send } = this.#options
    const rest = this.#answer.end()
    if (rest.length > 0) this.#sendSegments(this.#output, [], rest, this.#options.job.logprobs === null ? null : [])
    const usage = {
      prompt: prompt.tokens.length,
      cached: Math.min(cached, prompt.tokens.length),
      output: this.#output,
      thought: this.#answer.thoughtTokens,
    }
    // A stop string that the held-back rest completes still ends the answer as one.
    const { stopText } = this.#answer
    send({ type: 'done', id, finish: stopText === null ? finish : 'stop', stopText, usage })
  }

  /** A reader that is behind pauses its own stream; the others do not wait for it. Null when nothing is to wait for. */
  #pause(): Promise<void> | null {
    const { credit, slot } = this.#options
    const wait = credit() ?? slot.turn()
    return wait === null ? null : this.#waitOutside(wait)
  }

  async #waitOutside(first: Promise<void>): Promise<void> {
    const { slot } = this.#options
    for (let wait: Promise<void> | null = first; wait !== null; wait = slot.turn()) {
      slot.leave()
      await wait.finally(() => slot.enter())
    }
  }

  /** Puts `tokens` after what the slot holds. The logits are those after the last token, if wanted. */
  async #evaluate(tokens: readonly number[], how: { prefilled: boolean; logits: boolean }): Promise<Logits> {
    const { signal, slot } = this.#options
    signal.throwIfAborted()
    return slot.evaluate(tokens, how)
  }
}

const DRAWN = { prefilled: false, logits: true }
