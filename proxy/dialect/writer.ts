/** How a dialect turns the neutral events of a stream into chunks, each with its SSE framing (`data: …\n\n`). */
import type { DoneEvent, TextEvent } from '../choices.js'
import type { SwarmdFields } from './receipts.js'
import type { Usage } from './usage.js'

export interface AnswerIdentity {
  readonly id: string
  /** Unix seconds. */
  readonly created: number
  readonly model: string
}

export interface ChunkWriter {
  /** The model's own name becomes known; later chunks carry it. */
  identify(identity: AnswerIdentity): void
  /** First chunk of a choice; null when the dialect has none. */
  opening(index: number): string | null
  /** Null when the event has nothing that a client would see. */
  text(index: number, event: TextEvent): string | null
  /** Last chunk of a choice. `swarmd`: set on the last chunk of the answer. */
  finish(index: number, done: DoneEvent, swarmd: SwarmdFields | null): string
  /** Only when the client asked for usage; comes after the last finish. */
  usage(usage: Usage, swarmd: SwarmdFields): string
}
