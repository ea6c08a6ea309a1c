/** Output of an engine, cut where a reservation ends. */
import type { IncomingAsk } from '../../swarm/port.js'

export type Piece = Omit<Parameters<IncomingAsk['tokens']>[0], 'index'>

/**
 * The first `count` tokens and the rest, each with about its part of the text: which token makes which letters is known to
 * the tokeniser alone, and tokens and text need not line up.
 */
export function split(piece: Piece, count: number): readonly [Piece, Piece | null] {
  const { tokens, positions, text } = piece
  if (count >= tokens.length) return [piece, null]
  const about = Math.floor((text.length * count) / tokens.length)
  const at = isLowSurrogate(text.charCodeAt(about)) ? about + 1 : about
  return [
    {
      ...piece,
      tokens: tokens.slice(0, count),
      text: text.slice(0, at),
      positions: positions && positions.slice(0, count),
    },
    { ...piece, tokens: tokens.slice(count), text: text.slice(at), positions: positions && positions.slice(count) },
  ]
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff
}
