/** Finds stop strings in a stream of text, wherever token borders cut them, and holds back what may still become one. */
import { overlap } from './thoughts.js'

export class StopMatcher {
  readonly #stops: readonly string[]
  #held = ''

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '')
  }

  /** `stop`: the string that was found; `text` then ends right before it. The earliest match wins, then the longest. */
  push(text: string): { readonly text: string; readonly stop: string | null } {
    if (this.#stops.length === 0) return { text, stop: null }
    const all = this.#held + text
    let at = -1
    let found: string | null = null
    for (const stop of this.#stops) {
      const index = all.indexOf(stop)
      if (index === -1) continue
      if (at === -1 || index < at || (index === at && stop.length > (found ?? '').length)) {
        at = index
        found = stop
      }
    }
    if (found !== null) {
      this.#held = ''
      return { text: all.slice(0, at), stop: found }
    }
    const keep = Math.max(...this.#stops.map((stop) => overlap(all, stop)))
    this.#held = all.slice(all.length - keep)
    return { text: all.slice(0, all.length - keep), stop: null }
  }

  end(): string {
    const text = this.#held
    this.#held = ''
    return text
  }
}
