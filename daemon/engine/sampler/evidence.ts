/**
 * What is kept of each output position for an audit: the token and the best 8 candidates by the model's own logits. The
 * bytes are those of a position in the receipt's token root, so that nobody has to write them again.
 *
 *   position = token u32 LE | 8 times (token u32 LE | logprob int16 LE, 1/1024 nat)        52 bytes
 */

/** How many (token, logprob) of a position are kept. */
export const KEPT_TOP = 8
export const POSITION_BYTES = 4 + KEPT_TOP * 6
/** Positions that travel together, and that are shown together. */
export const EVIDENCE_WINDOW = 32

/** Candidate `rank` of the position that begins at `at`. A logprob is at most 0; what an int16 cannot hold becomes −32. */
export function writeCandidate(view: DataView, at: number, rank: number, token: number, logprob: number): void {
  const place = at + 4 + rank * 6
  view.setUint32(place, token, true)
  view.setInt16(place + 4, Math.max(-32768, Math.min(0, Math.round(logprob * 1024))), true)
}

interface Drawn {
  writeTop(view: DataView, at: number): boolean
}

/** Gathers the positions of one answer and hands them on, a window at a time. */
export class Evidence {
  readonly #send: (index: number, positions: Uint8Array) => void
  #view = new DataView(new ArrayBuffer(EVIDENCE_WINDOW * POSITION_BYTES))
  #index: number
  #fill = 0
  #whole = true

  /** `index`: output position of the first one. */
  constructor(index: number, send: (index: number, positions: Uint8Array) => void) {
    this.#index = index
    this.#send = send
  }

  /** The position that `sampler` has just drawn. Ends for good with a model that has fewer than 8 candidates. */
  add(token: number, sampler: Drawn): void {
    const at = this.#fill * POSITION_BYTES
    if (!this.#whole || !(this.#whole = sampler.writeTop(this.#view, at))) return
    this.#view.setUint32(at, token, true)
    if (++this.#fill === EVIDENCE_WINDOW) this.flush()
  }

  /** Hands on what there is. */
  flush(): void {
    if (this.#fill === 0) return
    const positions = new Uint8Array(this.#view.buffer, 0, this.#fill * POSITION_BYTES)
    const index = this.#index
    this.#index += this.#fill
    this.#fill = 0
    this.#view = new DataView(new ArrayBuffer(EVIDENCE_WINDOW * POSITION_BYTES))
    this.#send(index, positions)
  }
}
