/** Offers and routing requests for the pure parts of the swarm. */
import { FREE, price } from '../../ledger/price.js'
import type { RouteRequest } from '../../swarm/choice.js'
import type { Offer } from '../../swarm/port.js'

export const ROOT = new Uint8Array(32).fill(1)
export const NOW = 1_000_000_000

/** An offer of the node whose key is all `node`. */
export function offer(node: number, over: Partial<Offer> = {}): Offer {
  return {
    id: new Uint8Array(32).fill(node),
    modelRoot: ROOT,
    modelName: 'parrot',
    quantisation: 'f16',
    parameters: 1000,
    contextLength: 4096,
    features: ['chat', 'completion'],
    notice: null,
    prices: FREE,
    slots: 4,
    nodeKey: new Uint8Array(32).fill(node),
    boxKey: new Uint8Array(32).fill(node),
    issued: NOW - 1000,
    expires: NOW + 1000,
    ...over,
  }
}

/** `input` and `output` in lamports per million tokens. */
export function priced(input: number, output: number): Pick<Offer, 'prices'> {
  return { prices: { input: price(BigInt(input)), cached: price(0n), output: price(BigInt(output)) } }
}

export function nodeHex(node: number): string {
  return node.toString(16).padStart(2, '0').repeat(32)
}

export function routeRequest(over: Partial<RouteRequest> = {}): RouteRequest {
  return {
    modelRoot: ROOT,
    features: [],
    promptTokens: 100,
    outputTokens: 100,
    maxPrice: { input: null, output: null },
    only: null,
    ignore: [],
    order: [],
    sort: null,
    tried: [],
    minReliability: 0,
    minCompleted: 0,
    cachedAt: null,
    ...over,
  }
}
