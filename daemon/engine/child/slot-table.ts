/** The slots of one context: sequences, and what their caches hold. */
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import type { SlotView } from './slots.js'
import { chooseSlot, commonPrefix } from './slots.js'

export type SlotPlace = Pick<Slot, 'id' | 'lane' | 'sequenceId' | 'sequence'>

export class Slot implements SlotView {
  readonly id: number
  readonly lane: number
  /** Id of the sequence within its lane's context. */
  readonly sequenceId: number
  readonly sequence: LlamaContextSequence
  readonly #chunk: number
  readonly #reuse: 'exact' | 'all'
  busy = false
  lastUse = 0
  #tokens: number[] = []
  /** Leading tokens whose cache a fresh run would compute to the same bits: whole chunks of a prompt. */
  #exact = 0

  constructor(place: SlotPlace, chunk: number, reuse: 'exact' | 'all') {
    this.id = place.id
    this.lane = place.lane
    this.sequenceId = place.sequenceId
    this.sequence = place.sequence
    this.#chunk = chunk
    this.#reuse = reuse
  }

  /** What a later prompt could reuse. */
  get tokens(): readonly number[] {
    return this.#reuse === 'all' ? this.#tokens : this.#tokens.slice(0, this.#exact)
  }

  /** Keeps the longest reusable prefix of `prompt` (never all of it: the last token's logits are needed) and forgets the rest. */
  async rewind(prompt: readonly number[]): Promise<number> {
    const shared = Math.min(commonPrefix(this.tokens, prompt), prompt.length - 1)
    const usable = this.#reuse === 'all' ? shared : this.#whole(shared)
    const keep = prompt.slice(0, usable) as Token[]
    if (usable === 0) await this.sequence.clearHistory()
    else await this.sequence.adaptStateToTokens(keep, false)
    // A model whose cache cannot be cut (recurrent ones) may have kept less.
    const kept = this.sequence.nextTokenIndex
    if (this.#reuse === 'exact' && kept !== usable) await this.sequence.clearHistory()
    const cached = this.sequence.nextTokenIndex
    this.#tokens = prompt.slice(0, cached)
    this.#exact = this.#whole(Math.min(this.#exact, cached))
    return cached
  }

  /** `tokens` are in the cache now; `prefilled` tells whether as part of a prompt, in chunks. */
  append(tokens: readonly number[], prefilled: boolean): void {
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
