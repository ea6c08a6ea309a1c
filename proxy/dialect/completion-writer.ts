/** Chunks and bodies of POST /v1/completions. This dialect has no thoughts: what the model wrote is the text, all of it. */
import type { Choice, DoneEvent, TextEvent } from '../choices.js'
import { LegacyLogprobWriter, codePoints, shownPositions } from './logprobs.js'
import type { SwarmdFields } from './receipts.js'
import { finishReason } from './usage.js'
import type { Usage } from './usage.js'
import type { AnswerIdentity, ChunkWriter } from './writer.js'

export interface CompletionOptions {
  /** Alternatives per position; null = no logprobs. */
  readonly logprobs: number | null
  readonly includeUsage: boolean
  /** Prompt text of each choice to be repeated before the answer; empty strings without `echo`. */
  readonly echo: readonly string[]
}

export class CompletionChunkWriter implements ChunkWriter {
  readonly #options: CompletionOptions
  readonly #usageNull: string
  readonly #logprobs: LegacyLogprobWriter[]
  #start: string

  constructor(identity: AnswerIdentity, options: CompletionOptions) {
    this.#start = startOf(identity)
    this.#options = options
    this.#usageNull = options.includeUsage ? ',"usage":null' : ''
    this.#logprobs = options.echo.map((text) => new LegacyLogprobWriter(codePoints(text)))
  }

  identify(identity: AnswerIdentity): void {
    this.#start = startOf(identity)
  }

  opening(index: number): string | null {
    const echo = this.#options.echo[index] ?? ''
    return echo === '' ? null : this.#chunk(index, echo, 'null', 'null', '')
  }

  text(index: number, event: TextEvent): string | null {
    const alternatives = this.#options.logprobs
    const shown = alternatives === null ? [] : shownPositions(event.logprobs ?? [], alternatives)
    if (event.text === '' && shown.length === 0) return null
    const logprobs = shown.length === 0 ? 'null' : JSON.stringify(this.#logprobs[index]?.write(shown) ?? null)
    return this.#chunk(index, event.text, logprobs, 'null', '')
  }

  finish(index: number, done: DoneEvent, swarmd: SwarmdFields | null): string {
    const extra = swarmd === null ? '' : `,"swarmd":${JSON.stringify(swarmd)}`
    const stop = done.stopText === null ? '' : `,"stop_reason":${JSON.stringify(done.stopText)}`
    return this.#chunk(index, '', 'null', `"${finishReason(done)}"${stop}`, extra)
  }

  usage(usage: Usage, swarmd: SwarmdFields): string {
    return `${this.#start}"choices":[],"usage":${JSON.stringify(usage)},"swarmd":${JSON.stringify(swarmd)}}\n\n`
  }

  #chunk(index: number, text: string, logprobs: string, finish: string, extra: string): string {
    const choice = `"text":${JSON.stringify(text)},"index":${index},"logprobs":${logprobs},"finish_reason":${finish}`
    return `${this.#start}"choices":[{${choice}}]${this.#usageNull}${extra}}\n\n`
  }
}

function startOf({ id, created, model }: AnswerIdentity): string {
  const fields = `"id":${JSON.stringify(id)},"object":"text_completion","created":${created},"model":${JSON.stringify(model)}`
  return `data: {${fields},`
}

export function completionBody(
  identity: AnswerIdentity,
  choices: readonly Choice[],
  usage: Usage,
  swarmd: SwarmdFields,
  options: CompletionOptions,
): object {
  return {
    id: identity.id,
    object: 'text_completion',
    created: identity.created,
    model: identity.model,
    choices: choices.map(({ text, logprobs, done }, index) => {
      const echo = options.echo[index] ?? ''
      const writer = new LegacyLogprobWriter(codePoints(echo))
      return {
        text: echo + text,
        index,
        logprobs: options.logprobs === null ? null : writer.write(shownPositions(logprobs, options.logprobs)),
        finish_reason: finishReason(done),
        ...(done.stopText === null ? {} : { stop_reason: done.stopText }),
      }
    }),
    usage,
    swarmd,
  }
}
