/** What of one answer went over the wire, piece by piece, so that both sides can put the same bytes into their records. */
import type { ExchangeResponse } from '../../ledger/exchange.js'
import type { Finish } from '../../ledger/transaction.js'

interface Piece {
  readonly channel: 'text' | 'thought'
  readonly tokens: readonly number[]
  readonly text: string
}

/** Put together as they come: a piece of memory for each of many tokens would be more than the tokens. */
interface Kept {
  readonly channel: Piece['channel']
  readonly tokens: number[]
  text: string
}

export class Transcript {
  readonly #kind: 'generate' | 'embed'
  readonly #cuts: 'any' | 'none'
  readonly #pieces: Kept[] = []
  readonly #vectors: Float32Array[] = []
  #count = 0
  #first: number | null = null

  /** `cuts` none: what is asked for is always all of it, as on the side that received it. */
  constructor(kind: 'generate' | 'embed', cuts: 'any' | 'none' = 'any') {
    this.#kind = kind
    this.#cuts = cuts
  }

  /** Output positions, or vectors. */
  get count(): number {
    return this.#count
  }

  /** Unix milliseconds of the first token or vector. */
  get firstAt(): number | null {
    return this.#first
  }

  add(piece: Piece, now: number): void {
    if (piece.tokens.length > 0) this.#first ??= now
    this.#count += piece.tokens.length
    const last = this.#pieces.at(-1)
    const { channel, tokens, text } = piece
    if (this.#cuts === 'any' || last?.channel !== channel) this.#pieces.push({ channel, tokens: [...tokens], text })
    else {
      for (const token of tokens) last.tokens.push(token)
      last.text += text
    }
  }

  addVectors(vectors: readonly Float32Array[], now: number): void {
    if (vectors.length > 0) this.#first ??= now
    this.#count += vectors.length
    for (const vector of vectors) this.#vectors.push(vector)
  }

  /**
   * The first `count` tokens or vectors of it. Where pieces hold several tokens, a cut between them leaves the text of the
   * broken piece out: nobody can say which part of it belongs to which token.
   */
  upTo(count: number, finish: Finish, stopText: string | null): ExchangeResponse {
    if (this.#kind === 'embed') return { kind: 'embed', finish, vectors: this.#vectors.slice(0, count) }
    const tokens: number[] = []
    const texts = { text: '', thought: '' }
    for (const piece of this.#pieces) {
      const room = count - tokens.length
      for (const token of piece.tokens.slice(0, room)) tokens.push(token)
      if (piece.tokens.length > room) break
      texts[piece.channel] += piece.text
    }
    return { kind: 'generate', finish, stopText, ...texts, tokens }
  }
}
