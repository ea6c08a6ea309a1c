/** A conversation in the terminal. Ctrl-C cancels the answer that streams; at the prompt, twice leaves. */
import { createInterface } from 'node:readline'
import type { Interface } from 'node:readline'
import { askChat } from './chat-client.js'
import type { ChatAnswer, ChatEndpoint, ChatMessage } from './chat-client.js'
import { AnswerPrinter } from './chat-printer.js'
import { EXIT } from './exit-codes.js'
import type { Io } from './io.js'

export interface SessionOptions {
  readonly endpoint: ChatEndpoint
  readonly model: string
  readonly system: string | null
  readonly maxTokens: number | null
  readonly thoughts: boolean
}

const HELP = `/new            forget the conversation
/model NAME     go on with another model
/system TEXT    give instructions and start anew
/exit           leave (also Ctrl-D)
`

/** Resolves to the exit code when the person leaves. */
export async function converse(io: Io, options: SessionOptions): Promise<number> {
  const reader = createInterface({
    input: io.stdin,
    output: io.stdout,
    terminal: io.stdout.isTTY,
    historySize: 500,
    prompt: io.paint('cyan', '› '),
  })
  try {
    return await new Session(io, options, reader).run()
  } finally {
    reader.close()
  }
}

class Session {
  readonly #io: Io
  readonly #options: SessionOptions
  readonly #reader: Interface
  readonly #printer: AnswerPrinter
  #model: string
  #messages: ChatMessage[]
  #answering: AbortController | null = null
  /** Lines that came while an answer streamed (a paste has several). */
  readonly #lines: string[] = []
  #wake: (() => void) | null = null
  #leaving = false
  #closed = false
  #interruptedBefore = false

  constructor(io: Io, options: SessionOptions, reader: Interface) {
    this.#io = io
    this.#options = options
    this.#reader = reader
    this.#printer = new AnswerPrinter(io, { thoughts: options.thoughts, silent: false })
    this.#model = options.model
    this.#messages = opening(options.system)
    reader.on('SIGINT', () => this.#interrupt())
    reader.on('line', (line) => {
      this.#interruptedBefore = false
      this.#lines.push(line.trim())
      this.#wake?.()
    })
    reader.on('close', () => {
      this.#closed = true
      this.#wake?.()
    })
  }

  async run(): Promise<number> {
    this.#io.out(
      `${this.#io.paint('bold', this.#model)}  ${this.#io.paint('dim', '/help for commands, Ctrl-D leaves')}\n`,
    )
    for (;;) {
      const line = await this.#next()
      if (line === null || this.#leaving) return EXIT.ok
      if (line.startsWith('/')) this.#command(line)
      else if (line !== '') await this.#ask(line)
    }
  }

  /** The next line; null = the input has ended, or the person has left. */
  async #next(): Promise<string | null> {
    if (this.#leaving) return null
    if (this.#lines.length === 0 && !this.#closed) {
      this.#reader.prompt()
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#lines.shift() ?? null
  }

  #command(line: string): void {
    const [name = '', ...words] = line.split(/\s+/)
    const text = words.join(' ')
    if (name === '/exit' || name === '/quit') this.#leaving = true
    else if (name === '/new') this.#messages = opening(this.#options.system)
    else if (name === '/model' && text !== '') this.#model = text
    else if (name === '/system') this.#messages = opening(text === '' ? null : text)
    else this.#io.out(HELP)
  }

  async #ask(question: string): Promise<void> {
    const { endpoint, maxTokens } = this.#options
    const messages: readonly ChatMessage[] = [...this.#messages, { role: 'user', content: question }]
    const cancel = new AbortController()
    this.#answering = cancel
    let answer: ChatAnswer | null = null
    try {
      answer = await askChat(endpoint, { model: this.#model, messages, maxTokens }, cancel.signal, (event) =>
        this.#printer.show(event),
      )
      // Only answered questions stay in the conversation.
      this.#messages = [...messages, { role: 'assistant', content: answer.text }]
    } catch (error) {
      this.#printer.end(null)
      const message = error instanceof Error ? error.message : String(error)
      this.#io.out(
        cancel.signal.aborted ? this.#io.paint('dim', '(cancelled)\n') : this.#io.paint('red', `${message}\n`),
      )
    } finally {
      this.#answering = null
    }
    if (answer !== null) this.#printer.end(answer)
  }

  #interrupt(): void {
    if (this.#answering !== null) {
      // Nor is the rest of a paste asked.
      this.#lines.length = 0
      return this.#answering.abort()
    }
    if (this.#reader.line === '' && this.#interruptedBefore) {
      this.#leaving = true
      return this.#wake?.()
    }
    this.#interruptedBefore = this.#reader.line === ''
    this.#io.out(this.#interruptedBefore ? this.#io.paint('dim', '\n(Ctrl-C once more leaves)\n') : '\n')
    // Control-U: what was typed is gone.
    this.#reader.write(null, { ctrl: true, name: 'u' })
    this.#reader.prompt()
    return undefined
  }
}

function opening(system: string | null): ChatMessage[] {
  return system === null ? [] : [{ role: 'system', content: system }]
}
