/**
 * What the engine reports of one answer beside its events, until the receipt states it: the prompt's token ids, and the best
 * eight candidates of each position. It comes in blocks; nothing happens here for a single token.
 */
import { setTimeout } from 'node:timers/promises'
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { promptTokensHash, templateHash, UNREPORTED } from '../../ledger/content.js'
import type { ExchangeResponse } from '../../ledger/exchange.js'
import { TokenLog, tokensOf, TOP } from '../../ledger/token-root.js'
import type { EvidenceSink } from '../engine/port.js'

/** What a statement says of it. */
export interface Stated {
  readonly tokenRoot: Uint8Array
  readonly promptTokensHash: Uint8Array
  readonly templateHash: Uint8Array
}

export interface Gathered {
  readonly stated: Stated
  /** What is under the root, for the audit window; null at width 0. */
  readonly positions: Uint8Array | null
}

/** 52: `TokenLog`'s own bytes, and the engine's (port.ts). */
const POSITION_BYTES = 4 + TOP * 6
/** How long an engine may take over the last block of an answer that was cut, milliseconds. */
const LATE_MS = 2000

export class AnswerEvidence implements EvidenceSink {
  readonly #contentKey: Uint8Array
  readonly #template: string | null | undefined
  readonly #blocks: Uint8Array[] = []
  #prompt: Uint8Array = UNREPORTED
  /** Output position of the next block; null before the first. */
  #next: number | null = null
  #count = 0
  /** Nothing is waited for from an engine that never reports. */
  #over = true
  #wake: () => void = () => undefined

  /** `template`: what the prompt was rendered with, null = nothing, undefined = the engine does not say. */
  constructor(contentKey: Uint8Array, template: string | null | undefined) {
    this.#contentKey = contentKey
    this.#template = template
  }

  prompt(tokens: Uint32Array): void {
    this.#prompt = promptTokensHash(this.#contentKey, tokens)
    this.#over = false
  }

  block(index: number, positions: Uint8Array): void {
    if (this.#next !== null && index !== this.#next) return this.end()
    this.#next = index + positions.byteLength / POSITION_BYTES
    // A copy: these bytes lie in whatever the engine's message came in.
    this.#blocks.push(Uint8Array.from(positions))
    this.#count += positions.byteLength / POSITION_BYTES
    this.#wake()
  }

  end(): void {
    this.#over = true
    this.#wake()
  }

  /**
   * Covers exactly the positions of `response`, once they are here. Where the engine cannot show them (it has crashed, its
   * model has fewer than eight tokens, it shows other tokens) the root has width 0, which an audit sees.
   */
  async of(response: ExchangeResponse): Promise<Gathered> {
    const tokens = response.kind === 'generate' ? response.tokens : []
    await this.#reached(tokens.length)
    const positions = this.#count === 0 ? null : b4a.concat(this.#blocks).subarray(0, tokens.length * POSITION_BYTES)
    const shown = positions && isOf(positions, tokens) ? positions : null
    const hashes = { promptTokensHash: this.#prompt, templateHash: this.#templateHash() }
    if (!shown) return { stated: { tokenRoot: rootOfTokens(this.#contentKey, tokens), ...hashes }, positions: null }
    return { stated: { tokenRoot: TokenLog.from(this.#contentKey, TOP, shown).root(), ...hashes }, positions: shown }
  }

  #templateHash(): Uint8Array {
    return this.#template === undefined ? UNREPORTED : templateHash(this.#template)
  }

  async #reached(count: number): Promise<void> {
    if (this.#enough(count)) return
    const late = new AbortController()
    void setTimeout(LATE_MS, null, { signal: late.signal }).then(() => this.end(), safetyCatch)
    while (!this.#enough(count)) await new Promise<void>((resolve) => (this.#wake = resolve))
    late.abort()
  }

  #enough(count: number): boolean {
    return this.#over || this.#count >= count
  }
}

/** What a consumer can state by itself: it has neither candidates nor tokeniser. */
export function statedAlone(contentKey: Uint8Array, response: ExchangeResponse): Stated {
  const tokens = response.kind === 'generate' ? response.tokens : []
  return { tokenRoot: rootOfTokens(contentKey, tokens), promptTokensHash: UNREPORTED, templateHash: UNREPORTED }
}

/** Width 0. */
function rootOfTokens(contentKey: Uint8Array, tokens: readonly number[]): Uint8Array {
  const log = new TokenLog(contentKey, 0)
  for (const token of tokens) log.push({ token, top: [] })
  return log.root()
}

function isOf(positions: Uint8Array, tokens: readonly number[]): boolean {
  const shown = tokensOf(positions, TOP)
  return shown.length === tokens.length && shown.every((token, i) => token === tokens[i])
}
