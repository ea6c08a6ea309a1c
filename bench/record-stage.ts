/** Two swarm nodes that ask and answer over Noise in one process: without a ledger, with one, and paid. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lamports } from '../ledger/amount.js'
import { newContentKey } from '../ledger/content.js'
import { boxKeyPair, randomBytes, sealKey, signingKeyPair } from '../ledger/crypto.js'
import { FREE, price } from '../ledger/price.js'
import type { Prices } from '../ledger/price.js'
import { MockEngine } from '../daemon/engine/mock.js'
import { networkId } from '../daemon/identity.js'
import { openPayments } from '../daemon/payment/open.js'
import type { Payments, PaymentsOptions } from '../daemon/payment/open.js'
import { Provider } from '../daemon/provider/provider.js'
import { startLoopbackDht } from '../swarm/bootstrap.js'
import { SwarmNode } from '../swarm/node.js'
import type { AnswerEvent, AskBody, IncomingAsk, Offer, OfferTerms, SwarmOptions } from '../swarm/port.js'

/** Longer than any answer that is asked for here. */
const CONTEXT = 8_000
const NAME = 'record'
/** A window of 64 tokens is 64 lamports: a voucher each half window, as with any price above a lamport a window. */
const PRICES: Prices = { input: price(1_000_000n), cached: price(1_000_000n), output: price(1_000_000n) }

/** `bare`: no ledger anywhere; `free`: records on both sides; `paid`: vouchers and a budget as well. */
export type Way = 'bare' | 'free' | 'paid'

export interface Stage {
  ask(way: Way, maxTokens: number): AsyncIterable<AnswerEvent>
  /** Tokens a second from here on; 0 = as fast as can be. */
  pace(tokensPerSecond: number): Promise<void>
  /** Resolves when what the asks left behind is written. */
  settled(): Promise<void>
  close(): Promise<void>
}

export async function openStage(): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-record-'))
  const dht = await startLoopbackDht()
  const engine = new MockEngine({ tokensPerEvent: 1, contextLength: CONTEXT })
  await engine.ready()
  let current = engine
  const closing: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true }), () => dht.close()]
  const model = {
    source: 'mock',
    name: null,
    slots: null,
    contextLength: null,
    threads: null,
    queueLimit: null,
    mock: null,
  }
  const sides: Payments[] = []
  const payments = (
    name: string,
    models: PaymentsOptions['options']['models'],
    swarm: () => SwarmNode | null,
  ): Payments => {
    const opened = openPayments({
      options: {
        dataDir: join(folder, name),
        models,
        swarm: { bootstrap: null, host: null, network: NAME, invite: null, allow: null },
        credit: lamports(10n ** 12n),
        budget: { all: { perRequest: null, perDay: null }, keys: new Map() },
      },
      swarm,
      complain: (message) => {
        throw new Error(message)
      },
      now: Date.now,
    })
    closing.push(() => opened.close())
    sides.push(opened)
    return opened
  }
  const node = async (
    options: Pick<SwarmOptions, 'keyPair' | 'boxKeyPair' | 'onAsk' | 'onVoucher'>,
  ): Promise<SwarmNode> => {
    const common = { bootstrap: dht.bootstrap, host: '127.0.0.1', invite: null, allow: null, software: 'bench' }
    const one = new SwarmNode({ ...common, network: networkId(NAME), ...options })
    closing.push(() => one.close())
    await one.ready()
    return one
  }
  const provide = async (name: string, prices: Prices): Promise<void> => {
    const side = payments(name, [{ ...model, prices }], () => null)
    const provider = new Provider({ models: () => ({ engine: current }), payments: () => side })
    const one = await node({
      keyPair: side.keys,
      boxKeyPair: side.identity.box(),
      onAsk: (ask) => provider.handle(ask),
      onVoucher: (_peer, voucher) => side.till.accept(voucher),
    })
    one.serve(termsOf(engine, name, prices))
  }
  const bare = await node({
    keyPair: signingKeyPair(randomBytes(32)),
    boxKeyPair: boxKeyPair(randomBytes(32)),
    onAsk: (ask) => void recite(ask, current),
  })
  bare.serve(termsOf(engine, 'bare', FREE))
  await provide('free', FREE)
  await provide('paid', PRICES)
  let swarm: SwarmNode | null = null
  const consumer = payments('consumer', [], () => swarm)
  const asking = await node({ keyPair: consumer.keys, boxKeyPair: null, onAsk: null })
  swarm = asking
  const offers = await offersAt(asking)
  return {
    ask(way, maxTokens) {
      const offer = offers.get(way)
      if (!offer) throw new Error(`nobody offers ${way}`)
      const signal = new AbortController().signal
      const limits = { maxTokens, maxCost: null, deadlineMs: 60_000 }
      const order = { id: randomBytes(16), offer, body: BODY, limits, signal }
      if (way === 'bare') {
        const content = newContentKey()
        const keys = { content, forProvider: sealKey(content, offer.boxKey), forConsumer: NO_SEAL }
        return asking.ask({ ...order, keys, payment: null })
      }
      const onLie = (what: string): never => {
        throw new Error(what)
      }
      return consumer.purchases.ask({ ...order, swarm: asking, caller: null, onLie })
    },
    async pace(tokensPerSecond) {
      current = new MockEngine({ tokensPerEvent: 1, contextLength: CONTEXT, tokensPerSecond })
      await current.ready()
    },
    // Of both sides: what one ask leaves to be written is not the next one's.
    async settled() {
      for (const { books } of sides) await books.settle(1000)
    },
    async close() {
      for (const close of closing.reverse()) await close()
      await Promise.all([engine.close(), current.close()])
    },
  }
}

const NO_SEAL = new Uint8Array(80)

const BODY: AskBody = {
  kind: 'generate',
  prompt: { kind: 'text', text: 'a prompt of some words' },
  sampling: {
    temperatureMilli: 1000,
    topPMilli: 1000,
    minPMilli: 0,
    topK: 0,
    presencePenaltyMilli: 0,
    frequencyPenaltyMilli: 0,
    repeatPenaltyMilli: 1000,
    logitBias: [],
    seed: 0n,
  },
  stop: [],
  logprobs: null,
  resume: [],
}

/** The least that a provider does. */
async function recite(ask: IncomingAsk, engine: MockEngine): Promise<void> {
  if (ask.body.kind !== 'generate') return ask.refuse('UNSUPPORTED', 'text only')
  const job = { ...ask.body, maxTokens: ask.limits.maxTokens, party: 'bench' }
  for await (const event of engine.generate(job, ask.signal)) {
    if (event.type === 'admitted') {
      ask.accept(0)
      ask.prefill(0, event.promptTokens, 0)
    } else if (event.type === 'tokens') await ask.tokens(event)
    else if (event.type === 'done') ask.done(event.finish, event.stopText, event.usage)
  }
}

function termsOf({ info }: MockEngine, name: string, prices: Prices): OfferTerms {
  const { root, quantisation, parameters, contextLength, slots, notice } = info
  return {
    modelRoot: root,
    modelName: name,
    quantisation,
    parameters,
    contextLength,
    features: ['chat', 'completion', 'mock'],
    notice,
    prices,
    slots,
  }
}

/** By name, once all three are known. */
function offersAt(node: SwarmNode): Promise<ReadonlyMap<string, Offer>> {
  return new Promise((resolve) => {
    const look = (): void => {
      const offers = new Map(node.offers().map((offer) => [offer.modelName, offer]))
      if (offers.size < 3) return
      node.off('offers', look)
      resolve(offers)
    }
    node.on('offers', look)
    look()
  })
}
