/** One request on one slot: read the prompt in chunks, then draw token after token until it ends. */
import type { ControlledEvaluateInputItem, EvaluationPriority, LlamaContextSequence, Token } from 'node-llama-cpp'
import { TokenBias } from 'node-llama-cpp'
import type { GenerateJob, Position } from '../port.js'
import type { FromChild } from '../protocol.js'
import { CANDIDATES } from '../sampler/candidates.js'
import { IcdfSampler, KEPT_TOP } from '../sampler/icdf.js'
import { AnswerText } from '../text/answer.js'
import type { Segment } from '../text/thoughts.js'
import type { LoadedModel } from './model.js'
import type { Prompt } from './prompt.js'
import type { Slot } from './slot-table.js'

export interface GenerationOptions {
  readonly id: number
  readonly job: Omit<GenerateJob, 'party'>
  readonly prompt: Prompt
  readonly slot: Slot
  readonly loaded: LoadedModel
  readonly resume: 'decode' | 'prefill'
  readonly signal: AbortSignal
  readonly send: (message: FromChild) => void
  /** Resolves when the reader of this stream may be sent one more event; null when that is so at once. */
  readonly credit: () => Promise<void> | null
}

/** A prompt being read says how far it is at least this often, milliseconds. */
const PROGRESS_INTERVAL = 900

export class Generation {
  readonly #options: GenerationOptions
  readonly #sequence: LlamaContextSequence
  readonly #sampler: IcdfSampler
  readonly #answer: AnswerText
  readonly #wanted: ReturnType<typeof wantedLogits>
  #output = 0

  constructor(options: GenerationOptions) {
    const { loaded, job, prompt } = options
    this.#options = options
    this.#sequence = options.slot.sequence
    this.#sampler = new IcdfSampler(job.sampling, (token) => loaded.model.isEogToken(token as Token))
    this.#answer = new AnswerText({
      vocabulary: loaded.vocabulary,
      markers: loaded.markers,
      insideThought: prompt.insideThought,
      stop: job.stop,
    })
    this.#wanted = wantedLogits(options)
  }

  async run(): Promise<void> {
    const { id, job, prompt, slot, send, loaded } = this.#options
    const replayed = this.#options.resume === 'decode' ? job.resume : []
    const read = replayed.length > 0 ? prompt.tokens : [...prompt.tokens, ...job.resume]
    const cached = await slot.rewind(read)
    send({
      type: 'admitted',
      id,
      promptTokens: prompt.tokens.length,
      cachedTokens: Math.min(cached, prompt.tokens.length),
    })
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
  async #read(prompt: readonly number[], from: number, replayed: readonly number[]): Promise<Entries> {
    const { id, loaded, send } = this.#options
    const { chunk: chunkSize } = loaded
    const total = prompt.length + replayed.length
    let done = from
    const report = (): void => send({ type: 'prefill', id, done, total })
    const heartbeat = setInterval(report, PROGRESS_INTERVAL)
    try {
      let entries: Entries = NONE
      while (done < total) {
        // Chunks end at multiples of the chunk size, so that a prompt is computed alike with and without a cached prefix.
        const chunk = prompt.slice(done, (Math.floor(done / chunkSize) + 1) * chunkSize)
        const tokens = chunk.length > 0 ? chunk : replayed.slice(done - prompt.length, done - prompt.length + 1)
        entries = await this.#evaluate(tokens, done + tokens.length === total)
        this.#options.slot.append(tokens, chunk.length > 0)
        done += tokens.length
        if (chunk.length > 0) report()
      }
      return entries
    } finally {
      clearInterval(heartbeat)
    }
  }

  async #decode(first: Entries, limit: number, cached: number): Promise<void> {
    const { slot } = this.#options
    let entries = first
    this.#enter()
    try {
      for (;;) {
        const { token, logprob } = this.#sampler.draw(entries, this.#output)
        this.#sampler.accept(token)
        this.#emit(token, logprob)
        if (this.#ends(token)) return this.#finish('stop', cached)
        if (this.#output >= limit) return this.#finish('length', cached)
        await this.#pause()
        entries = await this.#evaluate([token], true)
        slot.append([token], false)
      }
    } finally {
      this.#leave()
    }
  }

  #enter(): void {
    const { slot, loaded } = this.#options
    loaded.lanes[slot.lane]?.pacer.enter(slot.sequenceId)
    loaded.pace.enter(slot.lane)
  }

  #leave(): void {
    const { slot, loaded } = this.#options
    loaded.lanes[slot.lane]?.pacer.leave(slot.sequenceId)
    loaded.pace.leave(slot.lane)
  }

  #ends(token: number): boolean {
    return this.#answer.stopText !== null || this.#options.loaded.model.isEogToken(token as Token)
  }

  #emit(token: number, logprob: number): void {
    const index = this.#output++
    const segments = this.#answer.push(token)
    const positions =
      this.#options.job.logprobs === null ? null : [this.#position(token, logprob, this.#options.job.logprobs)]
    this.#sendSegments(index, [token], segments, positions)
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

  /** A reader that is behind pauses its own stream; the others do not wait for it. */
  async #pause(): Promise<void> {
    const { credit, loaded, slot } = this.#options
    for (let wait = credit(); wait !== null; wait = loaded.pace.turn(slot.lane)) {
      this.#leave()
      await wait.finally(() => this.#enter())
    }
  }

  /** Puts `tokens` after what the slot holds. The logits are those after the last token, if wanted. */
  async #evaluate(tokens: readonly number[], wanted: boolean): Promise<Entries> {
    const { signal, slot } = this.#options
    signal.throwIfAborted()
    const input: ControlledEvaluateInputItem[] = tokens.map((token) => token as Token)
    const last = tokens.at(-1)
    if (wanted && last !== undefined) input[input.length - 1] = [last as Token, this.#wanted]
    const result = await this.#sequence.controlledEvaluate(input, {
      evaluationPriority: slot.sequenceId as EvaluationPriority,
    })
    return result.at(-1)?.next.logits ?? NONE
  }
}

type Entries = Iterable<readonly [token: number, logit: number]>

const NONE: Entries = []

/** Chain of the native sampler that leaves the best 64 logits untouched; its own draw is not used. */
const BEST = { temperature: 1, topK: CANDIDATES, topP: 1, minP: 0, seed: 1 }

function wantedLogits({ loaded, job }: GenerationOptions): NonNullable<Exclude<ControlledEvaluateInputItem, Token>[1]> {
  if (job.sampling.logitBias.length === 0) return { generateNext: { logits: true, options: BEST } }
  const tokenBias = TokenBias.for(loaded.model)
  for (const [token, milli] of job.sampling.logitBias) tokenBias.set(token as Token, { logit: milli / 1000 })
  return { generateNext: { logits: true, options: { ...BEST, tokenBias } } }
}
