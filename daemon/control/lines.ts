/** Cuts a byte stream into lines, with a bound on how much of an unfinished line is kept. */
export class LineCutter {
  readonly #limit: number
  #parts: Buffer[] = []
  #held = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** The lines that `chunk` completes, without their ends; null once a line is longer than the limit. */
  push(chunk: Buffer): readonly string[] | null {
    const lines: string[] = []
    let rest = chunk
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      if (this.#held + end > this.#limit) return null
      lines.push(Buffer.concat([...this.#parts, rest.subarray(0, end)]).toString('utf8'))
      this.#parts = []
      this.#held = 0
      rest = rest.subarray(end + 1)
    }
    if (this.#held + rest.length > this.#limit) return null
    if (rest.length > 0) this.#parts.push(rest)
    this.#held += rest.length
    return lines
  }
}
