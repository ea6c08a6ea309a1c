/** Which slot a prompt goes to. Pure: slots are described by what their cache holds. */
export interface SlotView {
  readonly id: number
  /** Slots of one lane share its batches. */
  readonly lane: number
  readonly busy: boolean
  /** Tokens whose cache could be reused. */
  readonly tokens: readonly number[]
  /** Rises with every use. */
  readonly lastUse: number
}

export function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length)
  let length = 0
  while (length < end && a[length] === b[length]) length++
  return length
}

/**
 * The free slot with the longest common prefix, if that prefix is at least half of what the slot holds (a conversation
 * that goes on, a prompt asked again). Otherwise the shared part is small change, like a system prompt that all
 * conversations begin with: then an unused slot, or the one that was used longest ago, so that no live conversation
 * loses its cache, on the lane with the fewest streams. Ties go to the lowest id: neighbours batch together.
 */
export function chooseSlot(slots: readonly SlotView[], prompt: readonly number[]): SlotView | null {
  const free = slots.filter((slot) => !slot.busy)
  let best: SlotView | null = null
  let bestPrefix = 0
  for (const slot of free) {
    const prefix = commonPrefix(slot.tokens, prompt)
    if (prefix > bestPrefix && prefix * 2 >= slot.tokens.length) {
      best = slot
      bestPrefix = prefix
    }
  }
  if (best !== null) return best
  const crowd = (lane: number): number => slots.filter((slot) => slot.busy && slot.lane === lane).length
  const [first] = free.toSorted((a, b) => crowd(a.lane) - crowd(b.lane) || age(a) - age(b) || a.id - b.id)
  return first ?? null
}

/** An empty cache is nobody's loss. */
function age(slot: SlotView): number {
  return slot.tokens.length === 0 ? -1 : slot.lastUse
}
