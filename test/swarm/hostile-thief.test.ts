/**
 * A provider that is paid on credit, an honest consumer, and a thief who knows all that becomes public of the consumer's
 * channel, and more: its newest voucher, and the proof that the consumer itself has shown.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { lamports } from '../../ledger/amount.js'
import { signRaw } from '../../ledger/crypto.js'
import { price } from '../../ledger/price.js'
import { MockEngine } from '../../daemon/engine/mock.js'
import { openPayments } from '../../daemon/payment/open.js'
import type { Payments, PaymentsOptions } from '../../daemon/payment/open.js'
import { Provider } from '../../daemon/provider/provider.js'
import { randomBytes, signingKeyPair } from '../../swarm/crypto.js'
import type { SwarmNode } from '../../swarm/node.js'
import type { Offer, ShownPayment } from '../../swarm/port.js'
import { claimOf } from '../../swarm/proof.js'
import type { Payment } from '../../swarm/wire/ask.js'
import { hostileAsk } from '../helpers/hostile-asker.js'
import { HostilePeer, partyOf } from '../helpers/hostile-peer.js'
import type { HostileLine } from '../helpers/hostile-peer.js'
import { collect, loopbackSwarm, NETWORK, terms, textBody } from '../helpers/loopback-swarm.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

const PRICES = { input: price(1_000_000n), cached: price(1_000_000n), output: price(1_000_000n) }
const MODEL = {
  source: 'mock',
  name: null,
  slots: null,
  contextLength: null,
  threads: null,
  queueLimit: null,
  mock: null,
}

let folder: string
let swarm: LoopbackSwarm
let provider: SwarmNode
let offer: Offer
let serving: Payments
let paying: Payments
let consumer: SwarmNode
const engine = new MockEngine({ tokensPerEvent: 1 })
/** What the provider was shown by the honest consumer. */
const shown: (ShownPayment | null)[] = []
const peers: HostilePeer[] = []

function payments(name: string, models: PaymentsOptions['options']['models'], own: () => SwarmNode): Payments {
  const limits = { all: { perRequest: null, perDay: null }, keys: new Map() }
  const options = { dataDir: join(folder, name), models, swarm: null, credit: lamports(10n ** 9n), budget: limits }
  return openPayments({ options, swarm: own, complain: (message) => assert.fail(message), now: Date.now })
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'swarmd-thief-'))
  swarm = await loopbackSwarm()
  await engine.ready()
  serving = payments('provider', [{ ...MODEL, prices: PRICES }], () => provider)
  const side = new Provider({ models: () => ({ engine }), payments: () => serving })
  provider = swarm.provider(
    (ask) => {
      shown.push(ask.payment)
      side.handle(ask)
    },
    {
      keyPair: serving.keys,
      boxKeyPair: serving.identity.box(),
      onVoucher: (_peer, voucher) => serving.till.accept(voucher),
    },
  )
  await provider.ready()
  offer = provider.serve(terms('mock', { modelRoot: engine.info.root, prices: PRICES })).offer
  paying = payments('consumer', [], () => consumer)
  consumer = swarm.consumer({ keyPair: paying.keys })
  await consumer.ready()
})

after(async () => {
  await Promise.all(peers.map((peer) => peer.close()))
  await paying.books.settle(10_000)
  await swarm.close()
  await paying.close()
  await serving.close()
  await engine.close()
  await rm(folder, { recursive: true, force: true })
})

async function honest(): Promise<number> {
  const limits = { maxTokens: 10, maxCost: null, deadlineMs: 60_000 }
  const onLie = (what: string): never => assert.fail(what)
  const signal = new AbortController().signal
  const order = { id: randomBytes(16), swarm: consumer, offer, body: textBody('one two'), limits, caller: null }
  return (await collect(paying.purchases.ask({ ...order, signal, onLie }))).tokens.length
}

async function connect(): Promise<HostileLine> {
  const peer = new HostilePeer(swarm.bootstrap)
  peers.push(peer)
  const line = (await peer.dial(provider.publicKey)) ?? assert.fail('the provider let nobody in')
  line.hello()
  return line
}

/** The code and the words of the refusal; fails when the thief is served. */
async function refused(line: HostileLine, payment: Payment): Promise<readonly [string, string]> {
  line.say('ask', hostileAsk(line, offer, { head: { payment, maxTokens: 10 } }))
  const answer = await line.hear('answer')
  assert.ok(answer.kind === 'refused', 'the thief is served at the cost of another')
  return [answer.code, answer.detail]
}

test('who shows a channel’s newest voucher and not its key is refused, whatever proof comes with it', async () => {
  assert.equal(await honest(), 10)
  const channel = (await paying.purse.open(offer.nodeKey)).id
  const { voucher: held, signature } = (await serving.books.store()).vouchers.held(channel) ?? assert.fail()
  const voucher = { cumulative: held.cumulative, expires: held.expiresAt, signature }
  const owners = shown[0]?.proof ?? assert.fail()
  const line = await connect()
  const parties = { ...partyOf(line, NETWORK), provider: provider.publicKey }
  const thief = signingKeyPair()
  const claim = claimOf({ kind: 'channel', channel }, parties)
  const proofs: readonly [string, Uint8Array][] = [
    ['none', new Uint8Array(64)],
    ['the owner’s, of its connection', owners],
    ['by another key', signRaw(thief.secretKey, claim)],
    ['noise', randomBytes(64)],
  ]
  for (const [what, proof] of proofs) {
    assert.deepEqual(
      await refused(line, { kind: 'channel', channel, voucher, proof }),
      ['PAYMENT_REQUIRED', "This ask does not prove that it comes from the channel's owner."],
      what,
    )
  }
  assert.equal(await honest(), 10, 'the owner goes on')
  assert.deepEqual([...(shown.at(-1)?.proof ?? [])], [...owners], 'one proof for a connection')
})

test('the owner of the key proves it from any peer and on any connection', async () => {
  const signer = paying.identity.voucher(offer.nodeKey)
  const line = await connect()
  const parties = { ...partyOf(line, NETWORK), provider: provider.publicKey }
  const channel = signer.publicKey
  const proof = signRaw(signer.secretKey, claimOf({ kind: 'channel', channel }, parties))
  const ask = hostileAsk(line, offer, {
    head: { payment: { kind: 'channel', channel, voucher: null, proof }, maxTokens: 10 },
  })
  line.say('ask', ask)
  assert.equal((await line.hear('answer')).kind, 'accepted')
})

test('a claim names the network, the means, both nodes and the connection', () => {
  const parties = { network: NETWORK, consumer: fill(32, 1), provider: fill(32, 2), session: fill(64, 3) }
  const means = { kind: 'channel', channel: fill(32, 4) } as const
  const claims = [
    claimOf(means, parties),
    claimOf({ kind: 'channel', channel: fill(32, 5) }, parties),
    claimOf({ kind: 'order', order: means.channel }, parties),
    claimOf(means, { ...parties, network: fill(32, 9) }),
    claimOf(means, { ...parties, consumer: parties.provider, provider: parties.consumer }),
    claimOf(means, { ...parties, session: fill(64, 9) }),
  ].map((claim) => Buffer.from(claim).toString('hex'))
  assert.equal(new Set(claims).size, claims.length)
})

function fill(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value)
}
