/** Log probabilities in the two forms of OpenAI. Bytes are exact; half a character as text is escaped, as OpenAI does. */
import { isUtf8 } from 'node:buffer'
import { StringDecoder } from 'node:string_decoder'
import type { TokenLogprob } from '../port.js'

/** Stands for minus infinity, which JSON lacks. */
const LOWEST = -9999

/**
 * What a client gets of the positions: as many alternatives as it asked for (providers always send some, for audits), and
 * no control tokens, such as the end of generation, which are no part of the text.
 */
export function shownPositions(positions: readonly TokenLogprob[], alternatives: number): readonly TokenLogprob[] {
  return positions
    .filter(({ bytes }) => bytes.length > 0)
    .map((position) =>
      position.top.length > alternatives ? { ...position, top: position.top.slice(0, alternatives) } : position,
    )
}

export interface ChatLogprob {
  readonly token: string
  readonly logprob: number
  readonly bytes: readonly number[]
  readonly top_logprobs: readonly {
    readonly token: string
    readonly logprob: number
    readonly bytes: readonly number[]
  }[]
}

export function chatLogprob(position: TokenLogprob): ChatLogprob {
  const entry = ({ bytes, logprob }: { readonly bytes: Uint8Array; readonly logprob: number }) => ({
    token: textOf(bytes, ''),
    logprob: finite(logprob),
    bytes: [...bytes],
  })
  return { ...entry(position), top_logprobs: position.top.map(entry) }
}

export interface LegacyLogprobs {
  readonly tokens: string[]
  readonly token_logprobs: number[]
  readonly top_logprobs: Record<string, number>[]
  readonly text_offset: number[]
}

/** Writes the legacy form piece by piece: offsets count characters (code points) from the start of the text. */
export class LegacyLogprobWriter {
  readonly #decoder = new StringDecoder('utf8')
  #offset: number

  constructor(startOffset: number) {
    this.#offset = startOffset
  }

  write(positions: readonly TokenLogprob[]): LegacyLogprobs {
    const out: LegacyLogprobs = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] }
    for (const position of positions) {
      out.tokens.push(textOf(position.bytes, 'bytes:'))
      out.token_logprobs.push(finite(position.logprob))
      out.top_logprobs.push(
        Object.fromEntries(position.top.map(({ bytes, logprob }) => [textOf(bytes, 'bytes:'), finite(logprob)])),
      )
      out.text_offset.push(this.#offset)
      this.#offset += codePoints(this.#decoder.write(asBuffer(position.bytes)))
    }
    return out
  }
}

export function codePoints(text: string): number {
  let count = 0
  for (const _ of text) count += 1
  return count
}

function textOf(bytes: Uint8Array, prefix: string): string {
  const buffer = asBuffer(bytes)
  if (isUtf8(buffer)) return buffer.toString('utf8')
  return prefix + [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function finite(logprob: number): number {
  return Number.isFinite(logprob) ? logprob : LOWEST
}
