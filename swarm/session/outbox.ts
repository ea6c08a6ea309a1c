/**
 * Output on its way into frames: what comes within one turn of the event loop leaves in one frame. Bounded by its
 * caller, who stops producing while `isFull`.
 */
import type { AnswerEvent } from '../port.js'
import type { FrameBody } from '../wire/frame.js'
import { MAX_FRAME_TEXT_BYTES, MAX_FRAME_TOKENS, MAX_FRAME_VECTORS } from '../wire/frame.js'
import { MAX_SEALED_FRAME_BYTES } from '../wire/tokens.js'

/** Positions with all their alternatives are heavy: so many always fit into a frame. */
const MAX_FRAME_POSITIONS = 32
/** UTF-8 needs at most three bytes per UTF-16 unit. */
const MAX_FRAME_CHARACTERS = Math.floor(MAX_FRAME_TEXT_BYTES / 3)
const MAX_FRAME_VECTOR_BYTES = MAX_SEALED_FRAME_BYTES - 4096

export type TextPiece = Omit<Extract<AnswerEvent, { type: 'tokens' }>, 'type'>

export interface Draft {
  readonly index: number
  readonly count: number
  readonly body: FrameBody
}

interface TextDraft {
  readonly index: number
  readonly channel: 'text' | 'thought'
  readonly tokens: number[]
  text: string
  positions: TextPiece['positions'] extends readonly (infer P)[] | null ? P[] | null : never
}

export class Outbox {
  #texts: TextDraft[] = []
  #vectors: { readonly index: number; readonly vector: Float32Array }[] = []
  #count = 0

  /** Tokens and vectors that wait. */
  get count(): number {
    return this.#count
  }

  get isEmpty(): boolean {
    return this.#texts.length === 0 && this.#vectors.length === 0
  }

  get isFull(): boolean {
    return this.#count >= MAX_FRAME_TOKENS || this.#texts.length > 1
  }

  push(piece: TextPiece): void {
    const most = piece.positions ? MAX_FRAME_POSITIONS : MAX_FRAME_TOKENS
    const last = this.#texts.at(-1)
    this.#count += piece.tokens.length
    if (
      last !== undefined &&
      last.channel === piece.channel &&
      (last.positions === null) === (piece.positions === null) &&
      last.tokens.length + piece.tokens.length <= most &&
      last.text.length + piece.text.length <= MAX_FRAME_CHARACTERS
    ) {
      for (const token of piece.tokens) last.tokens.push(token)
      last.text += piece.text
      if (last.positions && piece.positions) last.positions.push(...piece.positions)
      return
    }
    if (piece.tokens.length <= most && piece.text.length <= MAX_FRAME_CHARACTERS) {
      const positions = piece.positions ? [...piece.positions] : null
      this.#texts.push({
        index: piece.index,
        channel: piece.channel,
        tokens: [...piece.tokens],
        text: piece.text,
        positions,
      })
      return
    }
    this.#split(piece, most)
  }

  pushVectors(index: number, vectors: readonly Float32Array[]): void {
    for (const [i, vector] of vectors.entries()) this.#vectors.push({ index: index + i, vector })
    this.#count += vectors.length
  }

  /** The next frame; null when nothing waits. */
  shift(): Draft | null {
    const text = this.#texts.shift()
    if (text) {
      const { index, channel, tokens, positions } = text
      this.#count -= tokens.length
      return { index, count: tokens.length, body: { kind: 'text', channel, tokens, text: text.text, positions } }
    }
    const first = this.#vectors[0]
    if (!first) return null
    let bytes = 0
    let count = 0
    for (const { vector } of this.#vectors) {
      bytes += vector.byteLength + 8
      if (count > 0 && (bytes > MAX_FRAME_VECTOR_BYTES || count === MAX_FRAME_VECTORS)) break
      count++
    }
    this.#count -= count
    const vectors = this.#vectors.splice(0, count).map((one) => one.vector)
    return { index: first.index, count, body: { kind: 'vectors', vectors } }
  }

  clear(): void {
    this.#texts = []
    this.#vectors = []
    this.#count = 0
  }

  /** A piece too large for one frame: tokens first, then what text is left. */
  #split(piece: TextPiece, most: number): void {
    let at = 0
    let from = 0
    do {
      const to = Math.min(at + most, piece.tokens.length)
      const until = sliceEnd(piece.text, from)
      this.#texts.push({
        index: piece.index + at,
        channel: piece.channel,
        tokens: piece.tokens.slice(at, to),
        text: piece.text.slice(from, until),
        positions: piece.positions ? piece.positions.slice(at, to) : null,
      })
      at = to
      from = until
    } while (at < piece.tokens.length || from < piece.text.length)
  }
}

/** Never between the halves of a surrogate pair. */
function sliceEnd(text: string, from: number): number {
  const end = Math.min(from + MAX_FRAME_CHARACTERS, text.length)
  if (end === text.length) return end
  const last = text.charCodeAt(end - 1)
  return last >= 0xd800 && last <= 0xdbff ? end - 1 : end
}
