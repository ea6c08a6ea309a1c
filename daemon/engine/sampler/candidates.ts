/**
 * The candidates of one position in preallocated columns: token ids, the model's own logits, and the logits as the
 * sampler's steps change them. Sorted by (adjusted logit descending, id ascending).
 */
export const CANDIDATES = 64

export class Candidates {
  readonly tokens = new Int32Array(CANDIDATES)
  /** As the model gave them (bias taken off again). */
  readonly logits = new Float64Array(CANDIDATES)
  /** Worked on by bias, penalties and temperature. */
  readonly adjusted = new Float64Array(CANDIDATES)
  /** Unnormalised probabilities of the adjusted logits, 1 for the best. */
  readonly weights = new Float64Array(CANDIDATES)
  length = 0

  /** More than 64 are ignored: the native side never sends more. */
  push(token: number, logit: number, adjusted: number): void {
    if (this.length === CANDIDATES) return
    this.tokens[this.length] = token
    this.logits[this.length] = logit
    this.adjusted[this.length] = adjusted
    this.length++
  }

  /** Insertion sort: the native order is almost right already. */
  sort(): void {
    for (let i = 1; i < this.length; i++) {
      const token = this.tokens[i] ?? 0
      const logit = this.logits[i] ?? 0
      const adjusted = this.adjusted[i] ?? 0
      let j = i - 1
      while (j >= 0 && this.#after(j, adjusted, token)) {
        this.tokens[j + 1] = this.tokens[j] ?? 0
        this.logits[j + 1] = this.logits[j] ?? 0
        this.adjusted[j + 1] = this.adjusted[j] ?? 0
        j--
      }
      this.tokens[j + 1] = token
      this.logits[j + 1] = logit
      this.adjusted[j + 1] = adjusted
    }
  }

  #after(index: number, adjusted: number, token: number): boolean {
    const other = this.adjusted[index] ?? 0
    return other < adjusted || (other === adjusted && (this.tokens[index] ?? 0) > token)
  }
}
