/**
 * Who has which prompt prefix in its cache: after an answer, the provider that gave it. Bounded; the least recently
 * used is forgotten first. Hashes only, so that no prompt stays in memory for this.
 */
import { createHash } from 'node:crypto'
import type { AskBody } from './port.js'

/** The part of an ask that a cache can hold. */
export type Prompted = Pick<Extract<AskBody, { kind: 'generate' }>, 'kind' | 'prompt'> | { readonly kind: 'embed' }

export const MAX_PREFIXES = 4096
/** Boundaries per prompt: a longer conversation is known by its last ones. */
const MAX_BOUNDARIES = 64
/** Plain text has no messages; so many characters are taken for one. */
const BLOCK = 2048

/** Hashes of the prompt's prefixes, longest first: at each message of a chat, at each block of a text. */
export function prefixesOf(modelRoot: Uint8Array, body: Prompted): readonly string[] {
  let chain = link(modelRoot, '')
  const out: string[] = []
  for (const piece of pieces(body)) {
    chain = link(chain, piece)
    out.push(chain.toString('base64'))
  }
  return out.slice(-MAX_BOUNDARIES).reverse()
}

/** Stays on this node, so Node's own hash will do: the consumer starts without loading sodium for it. */
function link(before: Uint8Array, piece: string): Buffer {
  return createHash('sha256').update('swarmd/1/prefix\0').update(before).update(piece, 'utf8').digest()
}

function pieces(body: Prompted): readonly string[] {
  if (body.kind === 'embed') return []
  const { prompt } = body
  if (prompt.kind === 'chat')
    return prompt.messages.map(({ role, name, content }) => JSON.stringify([role, name, content]))
  const text = prompt.kind === 'text' ? prompt.text : prompt.tokens.join(' ')
  // The last, partial block is no boundary that a longer prompt would share.
  return Array.from({ length: Math.floor(text.length / BLOCK) }, (_, i) => text.slice(i * BLOCK, (i + 1) * BLOCK))
}

export class Affinity {
  #providers = new Map<string, string>()
  #max: number

  constructor(max = MAX_PREFIXES) {
    this.#max = max
  }

  get size(): number {
    return this.#providers.size
  }

  /** Hex node key of the provider that saw the longest of these prefixes; null = nobody did. */
  find(prefixes: readonly string[]): string | null {
    for (const prefix of prefixes) {
      const provider = this.#providers.get(prefix)
      if (provider === undefined) continue
      this.#set(prefix, provider)
      return provider
    }
    return null
  }

  remember(prefixes: readonly string[], provider: string): void {
    for (const prefix of prefixes) this.#set(prefix, provider)
    while (this.#providers.size > this.#max) {
      const [oldest] = this.#providers.keys()
      if (oldest === undefined) return
      this.#providers.delete(oldest)
    }
  }

  #set(prefix: string, provider: string): void {
    this.#providers.delete(prefix)
    this.#providers.set(prefix, provider)
  }
}
