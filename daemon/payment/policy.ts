/**
 * How much credit is usual, and what a prompt can cost at most. Both sides compute these from the offer and the ask alone, so
 * neither has to take the other's word.
 */
import { microLamports, toMicroLamports } from '../../ledger/amount.js'
import type { Lamports, MicroLamports } from '../../ledger/amount.js'
import { cost } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import type { AskBody } from '../../swarm/port.js'

/** Output tokens that a provider delivers before it wants a voucher. */
export const WINDOW_TOKENS = 64
/** A longer prompt is paid ahead. */
const WINDOW_PROMPT = 2048
/** Part of what was paid that may be lost in cut streams before a channel counts as one that does not pay. */
const FORGIVEN_PART = 64n

/** What templates add: markers and a role for each message, a default system prompt, tools. */
const TOKENS_PER_MESSAGE = 64
const TOKENS_PER_PROMPT = 512
const TOKENS_PER_INPUT = 16

/** For limits: a provider may ask more for what it has cached, and nobody knows yet how much that is. */
export function dearest(prices: Prices): Prices {
  return prices.cached > prices.input ? { ...prices, input: prices.cached } : prices
}

/** The widest window at these prices. */
export function maxWindow(prices: Prices): MicroLamports {
  return cost(dearest(prices), { input: WINDOW_PROMPT, cached: 0, output: WINDOW_TOKENS })
}

/** What may stay unpaid on a channel for good: tokens that left and never arrived. One window, and 1/64 of what was paid. */
export function forgivable(prices: Prices, paid: Lamports): MicroLamports {
  return microLamports(maxWindow(prices) + toMicroLamports(paid) / FORGIVEN_PART)
}

/** No tokeniser makes more tokens of a text than it has bytes; the rest is what a template may add. */
export function promptBound(body: AskBody): number {
  if (body.kind === 'embed') return body.inputs.reduce((sum, input) => sum + sizeOf(input) + TOKENS_PER_INPUT, 0)
  const { prompt, resume } = body
  const more = TOKENS_PER_PROMPT + resume.length
  switch (prompt.kind) {
    case 'chat':
      return prompt.messages.reduce(
        (sum, { content, name }) => sum + sizeOf(content) + sizeOf(name ?? '') + TOKENS_PER_MESSAGE,
        more,
      )
    case 'text':
      return sizeOf(prompt.text) + more
    case 'tokens':
      return prompt.tokens.length + more
  }
}

function sizeOf(input: string | readonly number[]): number {
  return typeof input === 'string' ? Buffer.byteLength(input) : input.length
}
