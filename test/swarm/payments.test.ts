/** Terms, vouchers, receipts and countersignatures between two honest nodes. What they are worth is the ledger's matter. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { signRaw } from '../../ledger/crypto.js'
import { randomBytes, signingKeyPair } from '../../swarm/crypto.js'
import type { SwarmNode } from '../../swarm/node.js'
import type { AskOptions, AskPayment, AskTerms, IncomingAsk, Offer, SignedPayment } from '../../swarm/port.js'
import { askKeys, askOf, collect, loopbackSwarm, terms, textBody } from '../helpers/loopback-swarm.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

let swarm: LoopbackSwarm

before(async () => {
  swarm = await loopbackSwarm()
})

after(async () => {
  await swarm.close()
})

const CHANNEL = new Uint8Array(32).fill(5)
const TERMS: AskTerms = { promptTokens: 10, cachedTokens: 4, limit: 900n, window: 300n, ahead: 20n }
const USAGE = { prompt: 10, cached: 4, output: 2, thought: 0 }
const signer = signingKeyPair()
const RECEIPT = new Uint8Array(840).fill(6)
const SIGNATURE = new Uint8Array(64).fill(7)

const voucher = (cumulative: bigint, channel: Uint8Array = CHANNEL): SignedPayment => ({
  channel,
  cumulative,
  expires: 0n,
  signature: new Uint8Array(64).fill(8),
})

function paying(newest: SignedPayment | null): AskPayment {
  return { kind: 'channel', channel: CHANNEL, voucher: newest, prove: (claim) => signRaw(signer.secretKey, claim) }
}

interface Trade {
  readonly consumer: SwarmNode
  readonly provider: SwarmNode
  readonly offer: Offer
  /** What `onVoucher` got. */
  readonly paid: SignedPayment[]
  ask(over?: Partial<AskOptions>): ReturnType<SwarmNode['ask']>
}

async function trade(
  serve: (ask: IncomingAsk) => void | Promise<void>,
  onVoucher?: (voucher: SignedPayment) => Promise<void>,
): Promise<Trade> {
  const net = { network: randomBytes(32) }
  const paid: SignedPayment[] = []
  const provider = swarm.provider((ask) => void serve(ask), {
    ...net,
    onVoucher: async (_, one) => {
      await onVoucher?.(one)
      paid.push(one)
    },
  })
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  const payment = paying(null)
  return {
    consumer,
    provider,
    offer,
    paid,
    ask: (over = {}) => consumer.ask(askOf(offer, textBody('x'), { payment, ...over })),
  }
}

const token = (index: number): Parameters<IncomingAsk['tokens']>[0] => ({
  index,
  tokens: [index],
  channel: 'text',
  text: 'x',
  positions: null,
})

/** The value a test waits for from inside a callback. */
function later<T>(): { readonly value: Promise<T>; readonly give: (value: T) => void } {
  let give: (value: T) => void = () => {}
  const value = new Promise<T>((resolve) => {
    give = resolve
  })
  return { value, give }
}

test('an ask is paid as it flows: terms, a voucher, tokens, a receipt, and the signature under it', async () => {
  const signed = later<Uint8Array | null>()
  const seen = later<IncomingAsk>()
  const first = later<void>()
  const { ask, consumer, offer, paid } = await trade(
    async (ask) => {
      seen.give(ask)
      ask.terms(TERMS)
      await first.value
      ask.prefill(10, 10, 4)
      await ask.tokens(token(0))
      await ask.tokens(token(1))
      await ask.flushed()
      assert.deepEqual(ask.delivered, { count: 2, taken: null })
      ask.done('stop', null, USAGE, RECEIPT)
      signed.give(await ask.countersigned)
    },
    () => Promise.resolve(first.give()),
  )
  const id = randomBytes(16)
  const keys = askKeys(offer.boxKey)
  const types: string[] = []
  for await (const event of ask({ id, keys, payment: paying(voucher(3n)) })) {
    types.push(event.type)
    if (event.type === 'terms') {
      assert.deepEqual(event.terms, TERMS)
      assert.equal(consumer.pay(offer.nodeKey, voucher(5n)), true)
    }
    if (event.type === 'done') {
      assert.deepEqual(plain(event.receipt), plain(RECEIPT))
      assert.equal(consumer.countersign(offer.nodeKey, id, SIGNATURE), true)
    }
  }
  assert.deepEqual(
    types.filter((type) => type !== 'prefill'),
    ['accepted', 'terms', 'tokens', 'done'],
  )
  assert.deepEqual(plain(paid), plain([voucher(5n)]))
  const got = await seen.value
  const { prove, ...means } = paying(voucher(3n))
  const claim = got.payment?.claim ?? assert.fail()
  assert.deepEqual(plain([got.id, got.payment]), plain([id, { ...means, claim, proof: prove(claim) }]))
  assert.deepEqual(plain(got.keys), plain(keys))
  assert.deepEqual(plain(await signed.value), plain(SIGNATURE))
})

test('a free ask has no terms, and its done may still bear a receipt', async () => {
  const { ask } = await trade(async (ask) => {
    assert.equal(ask.payment, null)
    ask.terms(TERMS)
    await ask.tokens(token(0))
    ask.done('stop', null, USAGE, RECEIPT)
  })
  const { events } = await collect(ask({ payment: null }))
  assert.deepEqual(
    events.map(({ type }) => type),
    ['accepted', 'tokens', 'done'],
  )
})

test('an ask that is cancelled is still receipted for what was delivered, and the reader says what it took', async () => {
  const signed = later<Uint8Array | null>()
  const delivered = later<unknown>()
  const { ask, consumer, offer } = await trade(async (ask) => {
    for (let index = 0; index < 3; index++) await ask.tokens(token(index))
    ask.signal.addEventListener('abort', () => {
      delivered.give(ask.delivered)
      ask.receipt(RECEIPT)
      ask.receipt(RECEIPT)
    })
    signed.give(await ask.countersigned)
  })
  const id = randomBytes(16)
  const receipt = later<Uint8Array>()
  for await (const event of ask({ id, onLateReceipt: receipt.give })) if (event.type === 'tokens') break
  assert.deepEqual(await delivered.value, { count: 3, taken: 3 })
  assert.deepEqual(plain(await receipt.value), plain(RECEIPT))
  assert.equal(consumer.countersign(offer.nodeKey, id, SIGNATURE), true)
  assert.deepEqual(plain(await signed.value), plain(SIGNATURE))
})

test('a failure after output brings a receipt too, one before any output none', async () => {
  const late = later<Uint8Array | null>()
  const early = later<Uint8Array | null>()
  const { ask, consumer } = await trade(async (ask) => {
    ask.accept(0)
    if (ask.limits.maxTokens === 1) {
      ask.fail('ENGINE_FAILED', 'at once')
      ask.receipt(RECEIPT)
      return early.give(await ask.countersigned)
    }
    await ask.tokens(token(0))
    ask.fail('ENGINE_FAILED', 'in the middle')
    await assert.rejects(ask.flushed(), { code: 'CANCELLED' })
    ask.receipt(RECEIPT)
    late.give(await ask.countersigned)
  })
  const receipts: Uint8Array[] = []
  const limits = { maxTokens: 1, maxCost: null, deadlineMs: 60_000 }
  await assert.rejects(collect(ask({ limits, onLateReceipt: (one) => void receipts.push(one) })), {
    code: 'ENGINE_FAILED',
  })
  assert.equal(await early.value, null)
  const got = later<Uint8Array>()
  await assert.rejects(collect(ask({ onLateReceipt: got.give })), { code: 'ENGINE_FAILED' })
  assert.deepEqual(plain(await got.value), plain(RECEIPT))
  assert.equal(receipts.length, 0)
  await consumer.close()
  assert.equal(await late.value, null, 'a connection that closes answers for the signature')
})

test('flushed waits for the reader’s credit, and rejects when the reader goes', async () => {
  const cut = later<unknown>()
  const { ask } = await trade(async (ask) => {
    for (let index = 0; index < 511; index++) void ask.tokens(token(index))
    await ask.flushed()
    assert.equal(ask.delivered.count, 511)
    for (let index = 511; index < 3000; index++) void ask.tokens(token(index))
    await ask.flushed().catch(cut.give)
  })
  const reading = ask()[Symbol.asyncIterator]()
  await reading.next()
  await reading.next()
  await reading.return?.()
  assert.equal(((await cut.value) as { code: string }).code, 'CANCELLED')
})

test('vouchers are taken in order, the next when the last is durable', async () => {
  const order: string[] = []
  const all = later<void>()
  const { ask, consumer, offer } = await trade(
    async (ask) => {
      ask.terms(TERMS)
      await all.value
      ask.done('stop', null, USAGE)
    },
    async ({ cumulative }) => {
      order.push(`take ${cumulative}`)
      await new Promise(setImmediate)
      order.push(`took ${cumulative}`)
      if (cumulative === 3n) all.give()
    },
  )
  for await (const event of ask()) {
    if (event.type !== 'terms') continue
    for (const cumulative of [1n, 2n, 3n]) consumer.pay(offer.nodeKey, voucher(cumulative))
  }
  assert.deepEqual(order, ['take 1', 'took 1', 'take 2', 'took 2', 'take 3', 'took 3'])
})

test('a voucher that the ledger refuses ends the asks it pays for with PAYMENT_REQUIRED, and no others', async () => {
  const stopped = later<unknown>()
  const { ask, consumer, provider, offer } = await trade(
    async (ask) => {
      if (!ask.payment) {
        await stopped.value
        await ask.tokens(token(0))
        return ask.done('stop', null, USAGE)
      }
      ask.signal.addEventListener('abort', () => stopped.give(ask.signal.reason))
      ask.terms(TERMS)
    },
    () => Promise.reject(Object.assign(new Error('not higher'), { code: 'VOUCHER_NOT_HIGHER' })),
  )
  const free = collect(ask({ payment: null }))
  const paying = async (): Promise<void> => {
    for await (const event of ask()) if (event.type === 'terms') consumer.pay(offer.nodeKey, voucher(1n))
  }
  await assert.rejects(paying(), { code: 'PAYMENT_REQUIRED', message: /VOUCHER_NOT_HIGHER/ })
  assert.equal(((await stopped.value) as { code: string }).code, 'CANCELLED')
  assert.equal((await free).text, 'x')
  assert.deepEqual(
    provider.peers().map(({ strikes }) => strikes),
    [1],
  )
})

test('three bad vouchers are a ban; a disk that is full is no fault of the peer', async () => {
  const { ask, consumer, provider, offer } = await trade(
    () => {},
    ({ cumulative }) =>
      Promise.reject(
        Object.assign(new Error('no'), { code: cumulative === 0n ? 'STORE_WRITE_FAILED' : 'VOUCHER_BAD_SIGNATURE' }),
      ),
  )
  const asking = ask()[Symbol.asyncIterator]()
  const ended = asking.next()
  // Anything that comes back proves the session stands.
  await provided(consumer)
  for (let i = 0; i < 5; i++) consumer.pay(offer.nodeKey, voucher(0n))
  await assert.rejects(ended, { code: 'PAYMENT_REQUIRED', message: /STORE_WRITE_FAILED/ })
  assert.equal(provider.peers()[0]?.strikes, 0)
  const gone = new Promise<void>((resolve) => {
    provider.on('peers', () => {
      if (provider.peers().length === 0) resolve()
    })
  })
  for (let i = 0; i < 3; i++) consumer.pay(offer.nodeKey, voucher(1n))
  await gone
})

test('a payment on a node that takes none is UNSUPPORTED, and without a session nothing is sent', async () => {
  const net = { network: randomBytes(32) }
  const provider = swarm.provider(() => {}, net)
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  const payment = paying(voucher(1n))
  await assert.rejects(collect(consumer.ask(askOf(offer, textBody('x'), { payment }))), { code: 'UNSUPPORTED' })
  assert.equal(consumer.pay(randomBytes(32), voucher(1n)), false)
  assert.equal(consumer.countersign(randomBytes(32), randomBytes(16), SIGNATURE), false)
})

test('what the caller mixes up never leaves: a voucher of another channel, one id for two asks', async () => {
  const { ask } = await trade(() => {})
  const payment = paying(voucher(1n, randomBytes(32)))
  await assert.rejects(collect(ask({ payment })), { code: 'OUT_OF_BOUNDS' })
  const id = randomBytes(16)
  const first = ask({ id })[Symbol.asyncIterator]()
  void first.next().catch(() => {})
  await assert.rejects(collect(ask({ id })), { code: 'OUT_OF_BOUNDS' })
  await first.return?.()
})

test('a further protocol may be opened on a peer’s stream as soon as its hello has come, and both know the roles', async () => {
  const net = { network: randomBytes(32) }
  const [one, two] = [later<readonly string[]>(), later<readonly string[]>()]
  const provider = swarm.provider(() => {}, { ...net, onPeer: ({ roles }) => one.give(roles) })
  provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer({ ...net, onPeer: ({ roles }) => two.give(roles) })
  await consumer.ready()
  assert.deepEqual([await one.value, await two.value], [['consumer'], ['consumer', 'provider']])
})

/** Resolves once the consumer has sent an ask. */
async function provided(node: SwarmNode): Promise<void> {
  while ((node.peers()[0]?.asksOut ?? 0) === 0) await new Promise(setImmediate)
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))
}
