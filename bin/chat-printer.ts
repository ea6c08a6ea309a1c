/** Writes an answer to the terminal as it streams: thoughts dimmed, waiting shown on a line that disappears. */
import type { ChatAnswer, ChatEvent } from './chat-client.js'
import type { Io } from './io.js'
import { plural } from './words.js'

export interface PrinterOptions {
  readonly thoughts: boolean
  /** Writes nothing (`--json`). */
  readonly silent: boolean
}

export class AnswerPrinter {
  readonly #io: Io
  readonly #options: PrinterOptions
  #channel: 'none' | 'thought' | 'text' = 'none'
  #lastCharacter = '\n'
  #waiting = false

  constructor(io: Io, options: PrinterOptions) {
    this.#io = io
    this.#options = options
  }

  show(event: ChatEvent): void {
    const { silent, thoughts } = this.#options
    if (silent || (event.type === 'thought' && !thoughts)) return
    if (event.type === 'waiting') return this.#wait(event.what)
    const text = this.#channel !== event.type ? event.text.trimStart() : event.text
    if (text === '') return
    this.#clear()
    // A blank line between what was thought and what is said; models often send their own line ends there.
    if (this.#channel === 'thought' && event.type === 'text') this.#write(this.#lastCharacter === '\n' ? '\n' : '\n\n')
    this.#channel = event.type
    this.#write(event.type === 'thought' ? this.#io.paint('dim', text) : text)
    this.#lastCharacter = text.at(-1) ?? this.#lastCharacter
  }

  /** Ends the last line, and says below it what the answer took. */
  end(answer: ChatAnswer | null): void {
    if (this.#options.silent) return
    this.#clear()
    if (this.#lastCharacter !== '\n') this.#write('\n')
    if (answer !== null) this.#write(`${this.#io.paint('dim', summary(answer))}\n`)
    this.#channel = 'none'
    this.#lastCharacter = '\n'
  }

  #wait(what: string): void {
    if (!this.#io.stdout.isTTY || this.#channel !== 'none') return
    this.#clear()
    this.#io.out(this.#io.paint('dim', `… ${what}`))
    this.#waiting = true
  }

  #clear(): void {
    if (!this.#waiting) return
    this.#waiting = false
    // Carriage return, erase to the end of the line (ECMA-48 EL).
    this.#io.out('\r\u001b[K')
  }

  #write(text: string): void {
    this.#io.out(text)
  }
}

function summary({ finish, usage, swarmd }: ChatAnswer): string {
  const cost = swarmd?.['cost_lamports']
  const provider = swarmd?.['provider']
  const first = swarmd?.['ttft_ms']
  const parts = [
    usage === null ? null : plural(usage.completion_tokens, 'token'),
    typeof first === 'number' ? `first after ${Math.round(first)} ms` : null,
    typeof provider === 'string' ? (provider === 'local' ? 'computed here' : `by ${provider.slice(0, 8)}…`) : null,
    typeof cost === 'string' && Number(cost) > 0 ? `${cost} lamports` : null,
    finish === 'length' ? 'cut at its length limit' : null,
  ]
  return parts.filter((part) => part !== null).join(' · ')
}
