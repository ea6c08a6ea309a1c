/**
 * Renders the GGUF's own Jinja template and turns the result into tokens, so that template text may name special tokens
 * and user text may not: what looks like a special token in a message stays plain text.
 *
 * The template sees every message as it is, except that each such look-alike is replaced by an unguessable marker. The
 * rendered text is then cut at the markers: what lies between is tokenised with special tokens, the look-alikes without.
 * A prompt without look-alikes has no markers and is tokenised in one piece, exactly as plain rendering does.
 */
import { randomBytes } from 'node:crypto'
import { Template } from '@huggingface/jinja'
import type { Message } from '../../../proxy/port.js'
import { EngineError } from '../errors.js'

export interface Tokenise {
  (text: string, special: boolean): readonly number[]
}

export interface ChatTemplateOptions {
  readonly source: string
  readonly tokenise: Tokenise
  /** Names that must never become special tokens when they come from a message. */
  readonly reserved: readonly string[]
  /** Names an assistant's own earlier message may contain as such (thought markers): they cannot forge a turn. */
  readonly assistantMayWrite: readonly string[]
  readonly variables: Readonly<Record<string, unknown>>
}

export interface RenderedPrompt {
  readonly text: string
  readonly tokens: number[]
}

export class ChatTemplate {
  readonly #options: ChatTemplateOptions
  readonly #template: Template
  readonly #cuts: Cuts

  /** Throws `MODEL_UNSUPPORTED` when the template cannot be parsed. */
  constructor(options: ChatTemplateOptions) {
    this.#options = options
    this.#cuts = cutsOf(options.reserved)
    try {
      this.#template = new Template(options.source)
    } catch (error) {
      throw EngineError.MODEL_UNSUPPORTED(`the model's chat template cannot be parsed: ${reason(error)}`)
    }
  }

  /** Throws `BAD_REQUEST` with the template's own words when it refuses the messages. */
  render(messages: readonly Message[]): RenderedPrompt {
    const escapes = new Escapes(this.#options.reserved, this.#cuts)
    const safe = messages.map((message) => {
      const allowed = message.role === 'assistant' ? this.#options.assistantMayWrite : []
      const escape = (text: string): string => escapes.apply(text, allowed)
      const { name } = message
      return { ...message, content: escape(message.content), ...(name === undefined ? {} : { name: escape(name) }) }
    })
    escapes.splitJoins(safe)
    const rendered = this.#run(safe)
    const tokens: number[] = []
    for (const part of escapes.cut(rendered)) {
      if (!part.escaped) append(tokens, this.#options.tokenise(part.text, true))
      // Cut after the first character: no piece is a whole name, not even of tokens that are always matched.
      else for (const piece of halves(part.text)) append(tokens, this.#options.tokenise(piece, false))
    }
    return { text: escapes.restore(rendered), tokens }
  }

  #run(messages: readonly Message[]): string {
    try {
      return this.#template.render({ ...this.#options.variables, messages, add_generation_prompt: true })
    } catch (error) {
      throw EngineError.BAD_REQUEST(`the model's chat template refuses these messages: ${reason(error)}`)
    }
  }
}

/** Every reserved name cut in two at every place, by the last character of the first half. */
type Cuts = ReadonlyMap<string, readonly { readonly prefix: string; readonly rest: string }[]>

class Escapes {
  readonly #cuts: Cuts
  readonly #pattern: RegExp | null
  readonly #nonce = randomBytes(12).toString('hex')
  readonly #originals: string[] = []

  constructor(reserved: readonly string[], cuts: Cuts) {
    this.#cuts = cuts
    const longestFirst = reserved
      .toSorted((a, b) => b.length - a.length)
      .map((name) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    this.#pattern = reserved.length === 0 ? null : new RegExp(longestFirst.join('|'), 'g')
  }

  apply(text: string, allowed: readonly string[]): string {
    if (this.#pattern === null) return text
    return text.replaceAll(this.#pattern, (name) => (allowed.includes(name) ? name : this.#mark(name)))
  }

  /** A name cut in two, one half at the end of a message, one at the start of another, in case the template joins them. */
  splitJoins(messages: { content: string }[]): void {
    const starts = messages.map(({ content }) => content.trimStart())
    // Of all the messages that start with it two are enough: one of them is another than the one at hand.
    const starters = new Map<string, readonly number[]>()
    const startersOf = (rest: string): readonly number[] => {
      const known = starters.get(rest) ?? firstTwo(starts, rest)
      starters.set(rest, known)
      return known
    }
    for (const [i, left] of messages.entries()) {
      const end = left.content.trimEnd()
      const tail = this.#cuts
        .get(end.slice(-1))
        ?.find(({ prefix, rest }) => end.endsWith(prefix) && startersOf(rest).some((j) => j !== i))
      if (tail === undefined) continue
      const at = end.length - tail.prefix.length
      left.content = left.content.slice(0, at) + this.#mark(tail.prefix) + left.content.slice(end.length)
    }
  }

  cut(rendered: string): { text: string; escaped: boolean }[] {
    return rendered.split(this.#markers()).map((text, i) => {
      const escaped = i % 2 === 1
      return { text: escaped ? (this.#originals[Number(text)] ?? '') : text, escaped }
    })
  }

  restore(rendered: string): string {
    return this.cut(rendered)
      .map(({ text }) => text)
      .join('')
  }

  #mark(original: string): string {
    this.#originals.push(original)
    return `${this.#nonce}x${this.#originals.length - 1}x`
  }

  #markers(): RegExp {
    return new RegExp(`${this.#nonce}x(\\d+)x`)
  }
}

/** Not `push(...more)`: the tokens of a long prompt are more arguments than the stack holds. */
function append(tokens: number[], more: readonly number[]): void {
  for (const token of more) tokens.push(token)
}

function cutsOf(reserved: readonly string[]): Cuts {
  const cuts = new Map<string, { prefix: string; rest: string }[]>()
  for (const name of reserved) {
    for (let at = 1; at < name.length; at++) {
      const cut = { prefix: name.slice(0, at), rest: name.slice(at) }
      const last = cut.prefix.slice(-1)
      const alike = cuts.get(last)
      if (alike === undefined) cuts.set(last, [cut])
      else alike.push(cut)
    }
  }
  return cuts
}

function firstTwo(texts: readonly string[], start: string): readonly number[] {
  const found: number[] = []
  for (let i = 0; i < texts.length && found.length < 2; i++) if (texts[i]?.startsWith(start)) found.push(i)
  return found
}

function halves(text: string): string[] {
  const [first = ''] = text
  return [first, text.slice(first.length)].filter((piece) => piece !== '')
}

function reason(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500)
}
