/** What goes wrong again and again, told once while it lasts, and once more when it comes back. */
import { codeOf } from '../errors.js'

export class Trouble {
  readonly #tell: (error: unknown) => void
  /** Codes that were told since the last turn in which nothing failed. */
  readonly #told = new Set<string>()
  #failures = 0

  constructor(tell: (error: unknown) => void) {
    this.#tell = tell
  }

  readonly failed = (error: unknown): void => {
    this.#failures++
    const code = codeOf(error) ?? 'unknown'
    if (this.#told.has(code)) return
    this.#told.add(code)
    this.#tell(error)
  }

  /** Never throws: what `turn` throws has failed, too. */
  async during(turn: () => Promise<void>): Promise<void> {
    const before = this.#failures
    await turn().catch(this.failed)
    if (this.#failures === before) this.#told.clear()
  }
}
