/**
 * Who is served next: `local` before strangers, strangers in turn whatever each of them queues. Pure bookkeeping over
 * tickets; whoever holds slots calls `next` when one is free.
 */
export const LOCAL_PARTY = 'local'

export interface Ticket {
  readonly party: string
}

export class AdmissionQueue<T extends Ticket> {
  readonly limit: number
  /** Per party, in order of arrival. Insertion order of the map is the turn: who was served goes to the back. */
  readonly #waiting = new Map<string, T[]>()
  #length = 0

  constructor(limit: number) {
    this.limit = limit
  }

  get length(): number {
    return this.#length
  }

  /** False when the queue is full. */
  push(ticket: T): boolean {
    if (this.#length >= this.limit) return false
    const own = this.#waiting.get(ticket.party)
    if (own === undefined) this.#waiting.set(ticket.party, [ticket])
    else own.push(ticket)
    this.#length++
    return true
  }

  /** Takes a ticket out that does not want to wait any longer. */
  remove(ticket: T): boolean {
    const own = this.#waiting.get(ticket.party)
    const at = own?.indexOf(ticket) ?? -1
    if (own === undefined || at === -1) return false
    own.splice(at, 1)
    if (own.length === 0) this.#waiting.delete(ticket.party)
    this.#length--
    return true
  }

  next(): T | null {
    const party = this.#waiting.has(LOCAL_PARTY) ? LOCAL_PARTY : (this.#waiting.keys().next().value ?? null)
    if (party === null) return null
    const own = this.#waiting.get(party) ?? []
    const ticket = own.shift() ?? null
    this.#waiting.delete(party)
    if (own.length > 0) this.#waiting.set(party, own)
    if (ticket !== null) this.#length--
    return ticket
  }

  /** All tickets in the order in which they will be served if nobody else comes. */
  order(): T[] {
    const local = this.#waiting.get(LOCAL_PARTY) ?? []
    const strangers = [...this.#waiting].filter(([party]) => party !== LOCAL_PARTY).map(([, tickets]) => tickets)
    const rounds = Math.max(0, ...strangers.map((tickets) => tickets.length))
    const turns = Array.from({ length: rounds }, (_, round) =>
      strangers.flatMap((tickets) => tickets.slice(round, round + 1)),
    )
    return [...local, ...turns.flat()]
  }
}
