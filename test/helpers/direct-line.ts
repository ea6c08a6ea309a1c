/** A consumer's purchases and a provider's sales joined in memory: no DHT, no wire, and a switch at each message. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import b4a from 'b4a'
import { lamports } from '../../ledger/amount.js'
import type { Prices } from '../../ledger/price.js'
import { openKey, randomBytes } from '../../ledger/crypto.js'
import type { Entry } from '../../ledger/store/entry.js'
import { MockEngine } from '../../daemon/engine/mock.js'
import type { Engine } from '../../daemon/engine/port.js'
import { openPayments } from '../../daemon/payment/open.js'
import type { Payments } from '../../daemon/payment/open.js'
import { Provider } from '../../daemon/provider/provider.js'
import { SwarmError } from '../../swarm/errors.js'
import { claimOf } from '../../swarm/proof.js'
import type { Parties } from '../../swarm/proof.js'
import type {
  AnswerEvent,
  AskBody,
  AskLimits,
  AskOptions,
  AskPayment,
  AskTerms,
  AskUsage,
  Delivered,
  IncomingAsk,
  Offer,
  ShownPayment,
  SignedPayment,
  Swarm,
} from '../../swarm/port.js'
import { offer as sampleOffer, PRICES } from './consumer.js'

/** What the line does to what passes. Everything may be changed between two asks. */
export interface Line {
  /** Vouchers reach the provider; else asks bring the last one that did. */
  pays: boolean
  countersigns: boolean
  receipt: (receipt: Uint8Array) => Uint8Array | null
  terms: (terms: AskTerms) => AskTerms
  /** The voucher of an ask, as the provider gets it. */
  voucher: (voucher: SignedPayment | null) => SignedPayment | null
  /** The consumer's signature, as the provider gets it. */
  signature: (signature: Uint8Array) => Uint8Array
  /** Lost, without a word to either side, after so many output tokens. */
  cutAfter: number
  /** Every voucher sent. */
  readonly vouchers: SignedPayment[]
  /** Output tokens that reached the consumer. */
  arrived: number
  /** What either side complained about. */
  readonly lies: string[]
}

export interface Pair {
  readonly line: Line
  readonly consumer: Payments
  readonly provider: Payments
  readonly offer: Offer
  /** Data folders of both, `consumer` and `provider`. */
  readonly folder: string
  order(body: AskBody, maxTokens: number | null, signal: AbortSignal): AsyncGenerator<AnswerEvent>
  ask(text: string, maxTokens?: number, signal?: AbortSignal): AsyncGenerator<AnswerEvent>
  embed(inputs: readonly string[]): AsyncGenerator<AnswerEvent>
  /** Asks and reads to the end: the output tokens; throws what the ask throws. */
  answer(text: string, maxTokens?: number): Promise<number[]>
  /** The highest voucher that the provider holds, once all that are signed are there. */
  held(): Promise<bigint>
  /** Both logs once nothing is under way; newest first. */
  logs(): Promise<{ readonly consumer: readonly Entry[]; readonly provider: readonly Entry[] }>
  /** Both sides from their folders again, as after a restart. */
  reopened(): Promise<Pair>
}

export interface PairOptions {
  readonly prices?: Prices
  readonly credit?: { readonly consumer: bigint | null; readonly provider: bigint | null }
  readonly engine?: Engine
  readonly budget?: Parameters<typeof openPayments>[0]['options']['budget']
}

const CREDIT = 1_000_000n

export async function pair(t: TestContext, options: PairOptions = {}): Promise<Pair> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-line-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return open(t, folder, options)
}

async function open(t: TestContext, folder: string, options: PairOptions): Promise<Pair> {
  const { prices = PRICES, credit = { consumer: CREDIT, provider: CREDIT } } = options
  const engine = options.engine ?? new MockEngine({ tokensPerEvent: 1, answerTokens: 1000 })
  await engine.ready()
  const line: Line = {
    pays: true,
    countersigns: true,
    receipt: (receipt) => receipt,
    signature: (signature) => signature,
    voucher: (voucher) => voucher,
    terms: (terms) => terms,
    cutAfter: Infinity,
    vouchers: [],
    arrived: 0,
    lies: [],
  }
  const budget = options.budget ?? { all: { perRequest: null, perDay: null }, keys: new Map() }
  const swarm = { network: 'line', bootstrap: null, host: null, invite: null, allow: null }
  const side = (
    name: 'consumer' | 'provider',
    models: Parameters<typeof openPayments>[0]['options']['models'],
  ): Payments =>
    openPayments({
      options: {
        dataDir: join(folder, name),
        models,
        swarm,
        budget,
        credit: credit[name] === null ? null : lamports(credit[name]),
      },
      swarm: () => wire as Swarm,
      complain: (message) => line.lies.push(message),
      onLie: (_peer, what) => line.lies.push(what),
      now: Date.now,
      // A busy machine is no lack of vouchers.
      patience: {
        get ahead() {
          return line.pays ? 60_000 : 200
        },
        get window() {
          return line.pays ? 60_000 : 200
        },
      },
    })
  const model = {
    source: 'mock',
    name: null,
    prices,
    slots: null,
    contextLength: null,
    threads: null,
    queueLimit: null,
    mock: null,
  }
  const provider = side('provider', [model])
  const consumer = side('consumer', [])
  const offer = sampleOffer({
    prices,
    contextLength: engine.info.contextLength,
    nodeKey: provider.keys.publicKey,
    boxKey: provider.identity.box().publicKey,
  })
  const serving = new Provider({
    models: () => ({ engine }),
    payments: () => provider,
    onLie: (_peer, what) => line.lies.push(what),
  })
  const asks = new Map<string, DirectAsk>()
  let passed: SignedPayment | null = null
  let accepting: Promise<unknown> = Promise.resolve()
  const wire: Pick<Swarm, 'ask' | 'pay' | 'countersign'> = {
    async *ask(given) {
      const payment =
        given.payment?.kind === 'channel'
          ? { ...given.payment, voucher: line.voucher(line.pays ? given.payment.voucher : passed) }
          : given.payment
      const asked = { ...given, payment }
      const ask = new DirectAsk(
        asked,
        consumer.keys.publicKey,
        line,
        openKey(asked.keys.forProvider, provider.identity.box()),
      )
      asks.set(b4a.toString(asked.id, 'hex'), ask)
      serving.handle(ask)
      yield* ask.events()
    },
    pay(_provider, voucher) {
      line.vouchers.push(voucher)
      if (!line.pays) return false
      passed = voucher
      accepting = Promise.all([accepting, provider.till.accept(voucher)])
      return true
    },
    countersign(_provider, id, signature) {
      if (line.countersigns) asks.get(b4a.toString(id, 'hex'))?.sign(line.signature(signature))
      return line.countersigns
    },
  }
  const order = (body: AskBody, maxTokens: number | null, signal: AbortSignal): AsyncGenerator<AnswerEvent> =>
    consumer.purchases.ask({
      id: randomBytes(16),
      swarm: wire,
      offer,
      body,
      limits: { maxTokens, maxCost: null, deadlineMs: 60_000 },
      caller: null,
      signal,
      onLie: (what) => line.lies.push(what),
    })
  const ask: Pair['ask'] = (text, maxTokens = 100, signal = new AbortController().signal) =>
    order(bodyOf(text), maxTokens, signal)
  const close = async (): Promise<void> => {
    await consumer.books.settle(60_000)
    for (const one of asks.values()) one.close()
    await consumer.close()
    await provider.close()
  }
  t.after(close)
  return {
    line,
    consumer,
    provider,
    offer,
    folder,
    order,
    ask,
    embed: (inputs) => order({ kind: 'embed', inputs }, null, new AbortController().signal),
    async answer(text, maxTokens) {
      const tokens: number[] = []
      for await (const event of ask(text, maxTokens)) if (event.type === 'tokens') tokens.push(...event.tokens)
      return tokens
    },
    async held() {
      const account = await consumer.purse.open(offer.nodeKey)
      await account.voucher()
      await accepting
      return (await provider.books.store()).vouchers.held(account.id)?.voucher.cumulative ?? 0n
    },
    async logs() {
      await consumer.books.settle(60_000)
      for (const one of asks.values()) one.close()
      await provider.books.settle(60_000)
      return { consumer: await entriesOf(consumer), provider: await entriesOf(provider) }
    },
    async reopened() {
      await close()
      return open(t, folder, options)
    },
  }
}

/** What a provider at the other end of some connection gets of a payment. */
export function shownBy(
  payment: AskPayment,
  ends: Pick<Parties, 'consumer' | 'provider'>,
  session = new Uint8Array(64),
): ShownPayment {
  const { prove, ...means } = payment
  const claim = claimOf(means, { network: new Uint8Array(32), session, ...ends })
  return { ...means, claim, proof: prove(claim) }
}

async function entriesOf({ books }: Payments): Promise<readonly Entry[]> {
  const store = await books.store()
  return (await store.query({}, 1000)).map(({ entry }) => entry)
}

export function bodyOf(text: string): AskBody {
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
      seed: 0n,
    },
    stop: [],
    logprobs: null,
    resume: [],
  }
}

/** One ask, both of its ends. */
class DirectAsk implements IncomingAsk {
  readonly id: Uint8Array
  readonly peer: Uint8Array
  readonly offer: Offer
  readonly body: AskBody
  readonly limits: AskLimits
  readonly keys: IncomingAsk['keys']
  readonly payment: IncomingAsk['payment']
  readonly countersigned: Promise<Uint8Array | null>
  readonly #asked: AskOptions
  readonly #line: Line
  readonly #abort = new AbortController()
  #queue: (AnswerEvent | Error)[] = []
  #wake: () => void = () => undefined
  #sign: (signature: Uint8Array | null) => void = () => undefined
  #count = 0
  #taken: number | null = null
  #over = false

  constructor(asked: AskOptions, peer: Uint8Array, line: Line, content: Uint8Array) {
    this.id = asked.id
    this.peer = peer
    this.offer = asked.offer
    this.body = asked.body
    this.limits = asked.limits
    this.keys = { ...asked.keys, content }
    this.payment = asked.payment && shownBy(asked.payment, { consumer: peer, provider: asked.offer.nodeKey })
    this.#asked = asked
    this.#line = line
    this.countersigned = new Promise((resolve) => (this.#sign = resolve))
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get delivered(): Delivered {
    return { count: this.#count, taken: this.#taken }
  }

  async *events(): AsyncGenerator<AnswerEvent> {
    let taken = 0
    const cancel = (): void => this.#push(SwarmError.CANCELLED())
    this.#asked.signal.addEventListener('abort', cancel, { once: true })
    try {
      for (;;) {
        const event = this.#queue.shift()
        if (!event) {
          await new Promise<void>((resolve) => (this.#wake = resolve))
          continue
        }
        if (event instanceof Error) throw event
        if (event.type === 'tokens') {
          taken += event.tokens.length
          this.#line.arrived += event.tokens.length
        }
        yield event
        if (event.type === 'done') return
        if (taken < this.#line.cutAfter) continue
        this.#end(SwarmError.PEER_LOST('the line was cut'))
        this.close()
        throw SwarmError.PEER_LOST('the line was cut')
      }
    } finally {
      this.#asked.signal.removeEventListener('abort', cancel)
      if (!this.#over) {
        this.#taken = taken
        this.#end(SwarmError.CANCELLED())
      }
    }
  }

  sign(signature: Uint8Array): void {
    this.#sign(signature)
  }

  close(): void {
    this.#sign(null)
  }

  accept(queuePosition: number): void {
    this.#push({ type: 'accepted', queuePosition })
  }

  refuse(code: Parameters<IncomingAsk['refuse']>[0], detail: string): void {
    this.fail(code, detail)
  }

  queued(position: number): void {
    this.#push({ type: 'queued', position })
  }

  prefill(done: number, total: number, cached: number): void {
    this.#push({ type: 'prefill', done, total, cached })
  }

  tokens(frame: Parameters<IncomingAsk['tokens']>[0]): Promise<void> {
    if (this.#over) return Promise.resolve()
    this.#count += frame.tokens.length
    this.#push({ type: 'tokens', ...frame })
    return Promise.resolve()
  }

  vectors(index: number, vectors: readonly Float32Array[]): Promise<void> {
    if (this.#over) return Promise.resolve()
    this.#count += vectors.length
    this.#push({ type: 'vectors', index, vectors })
    return Promise.resolve()
  }

  terms(terms: AskTerms): void {
    this.#push({ type: 'terms', terms: this.#line.terms(terms) })
  }

  flushed(): Promise<void> {
    return this.#abort.signal.aborted ? Promise.reject(SwarmError.CANCELLED()) : Promise.resolve()
  }

  done(finish: 'stop' | 'length', stopText: string | null, usage: AskUsage, receipt: Uint8Array | null = null): void {
    if (this.#over) return
    this.#over = true
    const sent = receipt && this.#line.receipt(receipt)
    this.#push({ type: 'done', finish, stopText, usage, providerMs: 1, receipt: sent })
  }

  receipt(receipt: Uint8Array): void {
    const sent = this.#line.receipt(receipt)
    if (sent) this.#asked.onLateReceipt?.(sent)
  }

  fail(code: Parameters<IncomingAsk['fail']>[0], detail: string): void {
    if (this.#over) return
    this.#over = true
    this.#push(SwarmError.refused(code, detail))
  }

  #push(event: AnswerEvent | Error): void {
    this.#queue.push(event)
    this.#wake()
  }

  #end(reason: SwarmError): void {
    this.#over = true
    this.#abort.abort(reason)
  }
}
