/** The slots of one model: sequences of its lanes, and what their caches hold. */
import type { Lane, Logits } from './lane.js'
import type { NativeSampler, SamplerConfig } from './native.js'
import type { SlotView } from './slots.js'
import { chooseSlot, commonPrefix } from './slots.js'

export interface SlotPlace {
  readonly id: number
  readonly lane: Lane
  /** Id within the lane. */
  readonly sequence: number
  readonly newSampler: () => NativeSampler
}

export class Slot implements SlotView {
  readonly id: number
  readonly #place: SlotPlace
  readonly #chunk: number
  readonly #reuse: 'exact' | 'all'
  #sampler: NativeSampler | null = null
  busy = false
  lastUse = 0
  #tokens: number[] = []
  /** Leading tokens whose cache a fresh run would compute to the same bits: whole chunks of a prompt. */
  #exact = 0

  constructor(place: SlotPlace, chunk: number, reuse: 'exact' | 'all') {
    this.id = place.id
    this.#place = place
    this.#chunk = chunk
    this.#reuse = reuse
  }

  get lane(): number {
    return this.#place.lane.index
  }

  /** What a later prompt could reuse. */
  get tokens(): readonly number[] {
    return this.#reuse === 'all' ? this.#tokens : this.#tokens.slice(0, this.#exact)
  }

  /** Keeps the longest reusable prefix of `prompt` (never all of it: the last token's logits are needed) and forgets the rest. */
  async rewind(prompt: readonly number[]): Promise<number> {
    const shared = Math.min(commonPrefix(this.tokens, prompt), prompt.length - 1)
    const usable = this.#reuse === 'all' ? shared : this.#whole(shared)
    // A model whose cache cannot be cut (recurrent ones) begins anew.
    const cached = (await this.#cut(usable)) ? usable : 0
    if (cached !== usable) await this.#cut(0)
    this.#tokens = prompt.slice(0, cached)
    this.#exact = this.#whole(Math.min(this.#exact, cached))
    return cached
  }

  /** How the candidates of this request are taken. */
  configure(config: SamplerConfig): void {
    this.#sampler ??= this.#place.newSampler()
    this.#sampler.applyConfig(config)
  }

  /** The stream decodes from now on, without pausing: its lane waits for it. */
  enter(): void {
    this.#place.lane.enter(this.#place.sequence)
  }

  leave(): void {
    this.#place.lane.leave(this.#place.sequence)
  }

  /** Null when the next token may be computed at once, else resolves when it may. */
  turn(): Promise<void> | null {
    return this.#place.lane.turn()
  }

  /** Puts `tokens` after what the slot holds; `prefilled` tells whether as part of a prompt, in chunks. */
  async evaluate(tokens: readonly number[], how: { prefilled: boolean; logits: boolean }): Promise<Logits> {
    const { lane, sequence } = this.#place
    const sampler = how.logits ? this.#sampler : null
    const logits = await lane.evaluate({ sequence, at: this.#tokens.length, tokens, sampler })
    this.#append(tokens, how.prefilled)
    return logits
  }

  #cut(from: number): Promise<boolean> {
    return this.#place.lane.cut(this.#place.sequence, from)
  }

  #append(tokens: readonly number[], prefilled: boolean): void {
    if (prefilled && this.#exact === this.#whole(this.#tokens.length)) {
      this.#exact = this.#whole(this.#tokens.length + tokens.length)
    }
    for (const token of tokens) this.#tokens.push(token)
  }

  #whole(length: number): number {
    return Math.floor(length / this.#chunk) * this.#chunk
  }
}

export class SlotTable {
  readonly #slots: readonly Slot[]
  #uses = 0

  constructor(slots: readonly Slot[]) {
    this.#slots = slots
  }

  take(prompt: readonly number[]): Slot | null {
    const view = chooseSlot(this.#slots, prompt)
    const slot = this.#slots.find(({ id }) => id === view?.id) ?? null
    if (slot === null) return null
    slot.busy = true
    slot.lastUse = ++this.#uses
    return slot
  }

  release(slot: Slot): void {
    slot.busy = false
  }
}
