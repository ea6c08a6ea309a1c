/**
 * Callers of the local API: parallel, streaming and not, some of which hang up in the middle. They go on whatever becomes of
 * the daemons, as an SDK with retries would.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Random } from './random.js'

export interface LoadCounts {
  asked: number
  answered: number
  /** Hung up by the caller. */
  cancelled: number
  /** A daemon died under it. */
  broken: number
  /** HTTP errors, by code. */
  readonly refused: Map<string, number>
}

export interface LoadOptions {
  readonly model: string
  readonly random: Random
  /** Of the living consumer, with `/v1`; null while there is none. */
  readonly base: () => string | null
  /** Text that every prompt holds: what must not be found on any disk. */
  readonly marker: string
  readonly workers: number
  /** Tokens that answers are asked to have. */
  readonly lengths?: readonly [number, ...number[]]
}

const PAUSE_MS = 25
const LENGTHS = [1, 3, 20, 70, 150, 300] as const

export class Load {
  readonly counts: LoadCounts = { asked: 0, answered: 0, cancelled: 0, broken: 0, refused: new Map() }
  /** The last words of each code. */
  readonly refusals = new Map<string, string>()
  /** Transactions that an answer named. */
  readonly named = new Set<string>()
  readonly #options: LoadOptions
  readonly #waiting = new Set<() => void>()
  #workers: Promise<void>[] = []
  #ending = false
  /** Bytes of answers so far: what tells that something moves. */
  #moved = 0

  constructor(options: LoadOptions) {
    this.#options = options
  }

  start(): void {
    this.#ending = false
    this.#workers = Array.from({ length: this.#options.workers }, () => this.#work())
  }

  /** Lets what is under way end, or breaks it off. */
  async stop(): Promise<void> {
    this.#ending = true
    await Promise.all(this.#workers)
  }

  /** Resolves when part of an answer came after this call; rejects after `limitMs`. */
  async progress(limitMs: number): Promise<void> {
    const before = this.#moved
    if (await this.#until(() => this.#moved > before, limitMs)) return
    throw new Error(`no request moved for ${limitMs / 1000} s: ${this.words()}`)
  }

  /** Resolves after so many more answers, or after `limitMs`. */
  async answers(count: number, limitMs: number): Promise<void> {
    const wanted = this.counts.answered + count
    await this.#until(() => this.counts.answered >= wanted, limitMs)
  }

  /** One request of its own, to its end; true when it was answered. */
  async once(maxTokens: number): Promise<boolean> {
    const before = this.counts.answered
    await this.#ask({ maxTokens, stream: false, leaveMs: null })
    return this.counts.answered > before
  }

  words(): string {
    const { asked, answered, cancelled, broken, refused } = this.counts
    const codes = [...refused].map(([code, count]) => `${count} × ${code}`).join(', ')
    return `${asked} asked, ${answered} answered, ${cancelled} cancelled, ${broken} broken${codes === '' ? '' : `, ${codes}`}`
  }

  /** Looked at whenever something moved; false when the time is over. */
  async #until(reached: () => boolean, limitMs: number): Promise<boolean> {
    const end = performance.now() + limitMs
    for (let left = limitMs; !reached(); left = end - performance.now()) {
      if (left <= 0) return false
      let wake = (): void => undefined
      const moved = new Promise<void>((resolve) => (wake = resolve))
      this.#waiting.add(wake)
      const timer = setTimeout(wake, left)
      await moved
      clearTimeout(timer)
      this.#waiting.delete(wake)
    }
    return true
  }

  async #work(): Promise<void> {
    const { random, lengths: [first, ...others] = LENGTHS } = this.#options
    while (!this.#ending) {
      const maxTokens = random.pick(first, ...others)
      const stream = random.chance(0.7)
      const leaveMs = random.chance(0.2) ? random.below(400) : null
      await this.#ask({ maxTokens, stream, leaveMs })
    }
  }

  async #ask(one: { maxTokens: number; stream: boolean; leaveMs: number | null }): Promise<void> {
    const { base, model, marker } = this.#options
    const url = base()
    if (url === null) {
      await delay(PAUSE_MS)
      return
    }
    this.counts.asked++
    const leaving = new AbortController()
    const timer = one.leaveMs === null ? null : setTimeout(() => leaving.abort(), one.leaveMs)
    try {
      const response = await fetch(`${url}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          model,
          messages: [{ role: 'user', content: `${marker} ${this.counts.asked}` }],
          max_tokens: one.maxTokens,
          stream: one.stream,
        }),
        signal: leaving.signal,
      })
      const text = await this.#read(response)
      if (response.ok && (one.stream ? text.includes('[DONE]') : text !== '')) this.#answered(text)
      else await this.#refused(text)
    } catch {
      if (leaving.signal.aborted) this.counts.cancelled++
      else this.counts.broken++
      await delay(PAUSE_MS)
    } finally {
      if (timer) clearTimeout(timer)
    }
  }

  async #read(response: Response): Promise<string> {
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of response.body ?? []) {
      const more = decoder.decode(chunk as Uint8Array, { stream: true })
      text += more
      if (!response.ok || more.startsWith(':')) continue
      this.#moved++
      for (const wake of this.#waiting) wake()
    }
    return text
  }

  #answered(text: string): void {
    this.counts.answered++
    for (const wake of this.#waiting) wake()
    const name = /"transaction":"([0-9a-f]{32})"/.exec(text)?.[1]
    if (name !== undefined) this.named.add(name)
  }

  async #refused(text: string): Promise<void> {
    const code = /"code":"([a-z_]+)"/.exec(text)?.[1] ?? 'unknown'
    this.refusals.set(code, /"message":"([^"]*)/.exec(text)?.[1] ?? text.slice(0, 200))
    this.counts.refused.set(code, (this.counts.refused.get(code) ?? 0) + 1)
    await delay(PAUSE_MS)
  }
}
