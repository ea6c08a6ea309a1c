/** Chunks and bodies of POST /v1/chat/completions. What stays the same from chunk to chunk is serialised once. */
import type { Choice, DoneEvent, TextEvent } from '../choices.js'
import { chatLogprob, shownPositions } from './logprobs.js'
import type { SwarmdFields } from './receipts.js'
import { finishReason } from './usage.js'
import type { Usage } from './usage.js'
import type { AnswerIdentity, ChunkWriter } from './writer.js'

export interface ChatOptions {
  /** Alternatives per position; null = no logprobs. */
  readonly logprobs: number | null
  readonly includeUsage: boolean
}

interface Frame {
  readonly head: string
  readonly tail: string
}

export class ChatChunkWriter implements ChunkWriter {
  readonly #logprobs: number | null
  readonly #usageNull: string
  readonly #frames: Frame[] = []
  #start: string

  constructor(identity: AnswerIdentity, options: ChatOptions) {
    this.#start = startOf(identity)
    this.#logprobs = options.logprobs
    // OpenAI: with include_usage every chunk has the field, null but in the last.
    this.#usageNull = options.includeUsage ? ',"usage":null' : ''
  }

  identify(identity: AnswerIdentity): void {
    this.#start = startOf(identity)
    this.#frames.length = 0
  }

  opening(index: number): string {
    return this.#chunk(index, '{"role":"assistant","content":""}', 'null', '')
  }

  text(index: number, event: TextEvent): string | null {
    const shown =
      this.#logprobs === null || event.logprobs === null || event.channel === 'thought'
        ? []
        : shownPositions(event.logprobs, this.#logprobs)
    if (event.text === '' && shown.length === 0) return null
    const text = JSON.stringify(event.text)
    const delta = event.channel === 'text' ? `{"content":${text}}` : `{"reasoning_content":${text},"reasoning":${text}}`
    const { head, tail } = this.#frame(index)
    if (shown.length === 0) return head + delta + tail
    const content = JSON.stringify(shown.map(chatLogprob))
    return `${head}${delta},"logprobs":{"content":${content},"refusal":null},"finish_reason":null}]${this.#usageNull}}\n\n`
  }

  finish(index: number, done: DoneEvent, swarmd: SwarmdFields | null): string {
    const extra = swarmd === null ? '' : `,"swarmd":${JSON.stringify(swarmd)}`
    const stop = done.stopText === null ? '' : `,"stop_reason":${JSON.stringify(done.stopText)}`
    return this.#chunk(index, '{}', `"${finishReason(done)}"${stop}`, extra)
  }

  usage(usage: Usage, swarmd: SwarmdFields): string {
    return `${this.#start}"choices":[],"usage":${JSON.stringify(usage)},"swarmd":${JSON.stringify(swarmd)}}\n\n`
  }

  #chunk(index: number, delta: string, finish: string, extra: string): string {
    const { head } = this.#frame(index)
    return `${head}${delta},"logprobs":null,"finish_reason":${finish}}]${this.#usageNull}${extra}}\n\n`
  }

  #frame(index: number): Frame {
    const known = this.#frames[index]
    if (known !== undefined) return known
    const frame = {
      head: `${this.#start}"choices":[{"index":${index},"delta":`,
      tail: `,"logprobs":null,"finish_reason":null}]${this.#usageNull}}\n\n`,
    }
    this.#frames[index] = frame
    return frame
  }
}

function startOf({ id, created, model }: AnswerIdentity): string {
  const fields = `"id":${JSON.stringify(id)},"object":"chat.completion.chunk","created":${created},"model":${JSON.stringify(model)}`
  return `data: {${fields},`
}

export function chatBody(
  identity: AnswerIdentity,
  choices: readonly Choice[],
  usage: Usage,
  swarmd: SwarmdFields,
  alternatives: number | null,
): object {
  return {
    id: identity.id,
    object: 'chat.completion',
    created: identity.created,
    model: identity.model,
    choices: choices.map(({ text, thought, logprobs, done }, index) => ({
      index,
      message: {
        role: 'assistant',
        content: text,
        refusal: null,
        ...(thought === '' ? {} : { reasoning_content: thought, reasoning: thought }),
      },
      logprobs:
        alternatives === null
          ? null
          : { content: shownPositions(logprobs, alternatives).map(chatLogprob), refusal: null },
      finish_reason: finishReason(done),
      ...(done.stopText === null ? {} : { stop_reason: done.stopText }),
    })),
    usage,
    swarmd,
  }
}
