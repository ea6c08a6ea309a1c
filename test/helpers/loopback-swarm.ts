/** Swarm nodes on a private DHT on 127.0.0.1, and a responder that answers as told. */
import { boxKeyPair, hash, randomBytes, sealKey, signingKeyPair } from '../../swarm/crypto.js'
import { startLoopbackDht } from '../../swarm/bootstrap.js'
import { SwarmNode } from '../../swarm/node.js'
import type {
  AnswerEvent,
  AskBody,
  AskKeys,
  AskLimits,
  AskOptions,
  IncomingAsk,
  Offer,
  OfferTerms,
  SwarmOptions,
} from '../../swarm/port.js'
import { FREE } from '../../ledger/price.js'

export const NETWORK = new Uint8Array(32).fill(7)

export interface LoopbackSwarm {
  readonly bootstrap: readonly { readonly host: string; readonly port: number }[]
  /** A node that asks; not opened yet. */
  consumer(options?: Partial<SwarmOptions>): SwarmNode
  /** A node that answers with `onAsk`; not opened yet. */
  provider(onAsk: (ask: IncomingAsk) => void, options?: Partial<SwarmOptions>): SwarmNode
  close(): Promise<void>
}

export async function loopbackSwarm(size = 3): Promise<LoopbackSwarm> {
  const dht = await startLoopbackDht(size)
  const nodes: SwarmNode[] = []
  const make = (options: Partial<SwarmOptions>): SwarmNode => {
    const node = new SwarmNode({
      keyPair: signingKeyPair(),
      boxKeyPair: null,
      bootstrap: dht.bootstrap,
      host: '127.0.0.1',
      network: NETWORK,
      invite: null,
      allow: null,
      software: 'swarmd-test/0',
      onAsk: null,
      ...options,
    })
    nodes.push(node)
    return node
  }
  return {
    bootstrap: dht.bootstrap,
    consumer: (options = {}) => make(options),
    provider: (onAsk, options = {}) => make({ boxKeyPair: boxKeyPair(), onAsk, ...options }),
    async close() {
      await Promise.all(nodes.map((node) => node.close()))
      await dht.close()
    },
  }
}

export function terms(name = 'parrot:f16', over: Partial<OfferTerms> = {}): OfferTerms {
  return {
    modelRoot: hash('swarmd/1/model', new TextEncoder().encode(name)),
    modelName: name,
    quantisation: 'f16',
    parameters: 1_000_000,
    contextLength: 4096,
    features: ['chat', 'completion', 'embeddings'],
    notice: null,
    prices: FREE,
    slots: 4,
    ...over,
  }
}

export function textBody(text: string, over: Partial<Extract<AskBody, { kind: 'generate' }>> = {}): AskBody {
  return {
    kind: 'generate',
    prompt: { kind: 'text', text },
    sampling: {
      temperatureMilli: 1000,
      topPMilli: 1000,
      minPMilli: 0,
      topK: 0,
      presencePenaltyMilli: 0,
      frequencyPenaltyMilli: 0,
      repeatPenaltyMilli: 1000,
      logitBias: [],
      seed: 42n,
    },
    stop: [],
    logprobs: null,
    resume: [],
    ...over,
  }
}

export const LIMITS: AskLimits = { maxTokens: null, maxCost: null, deadlineMs: 60_000 }

export function askOf(offer: Offer, body: AskBody, over: Partial<AskOptions> = {}): AskOptions {
  const signal = new AbortController().signal
  return {
    offer,
    body,
    limits: LIMITS,
    signal,
    id: randomBytes(16),
    keys: askKeys(offer.boxKey),
    payment: null,
    ...over,
  }
}

/** A content key for one ask, sealed to the provider and to an asker that keeps no key of its own. */
export function askKeys(boxKey: Uint8Array): AskKeys {
  const content = randomBytes(32)
  return { content, forProvider: sealKey(content, boxKey), forConsumer: sealKey(content, boxKeyPair().publicKey) }
}

/** Answers with the prompt's own words, a token each. */
export async function echo(ask: IncomingAsk, receipt: Uint8Array | null = null): Promise<void> {
  if (ask.body.kind !== 'generate' || ask.body.prompt.kind !== 'text') {
    return ask.refuse('UNSUPPORTED', 'the parrot repeats text')
  }
  const words = ask.body.prompt.text.split(' ')
  ask.accept(0)
  for (let index = ask.body.resume.length; index < words.length && !ask.signal.aborted; index++) {
    await ask.tokens({ index, tokens: [index], channel: 'text', text: `${words[index]} `, positions: null })
  }
  ask.done('stop', null, { prompt: words.length, cached: 0, output: words.length, thought: 0 }, receipt)
}

export interface Collected {
  readonly text: string
  readonly tokens: readonly number[]
  readonly events: readonly AnswerEvent[]
}

export async function collect(answer: AsyncIterable<AnswerEvent>): Promise<Collected> {
  const events: AnswerEvent[] = []
  const tokens: number[] = []
  let text = ''
  for await (const event of answer) {
    events.push(event)
    if (event.type !== 'tokens') continue
    text += event.text
    tokens.push(...event.tokens)
  }
  return { text, tokens, events }
}

/** The first moment at which `node` knows an offer that satisfies `wanted`. */
export function offerAt(node: SwarmNode, wanted: (offer: Offer) => boolean = () => true): Promise<Offer> {
  return new Promise((resolve) => {
    const look = (): void => {
      const offer = node.offers().find(wanted)
      if (!offer) return
      node.off('offers', look)
      resolve(offer)
    }
    node.on('offers', look)
    look()
  })
}
