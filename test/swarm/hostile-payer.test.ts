/** A provider against a consumer that lies about money, with the ledger's own rules behind the vouchers. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import b4a from 'b4a'
import { lamports } from '../../ledger/amount.js'
import { checkVoucher, signVoucher } from '../../ledger/voucher.js'
import type { Voucher } from '../../ledger/voucher.js'
import { randomBytes, signingKeyPair } from '../../swarm/crypto.js'
import type { SwarmNode } from '../../swarm/node.js'
import type { IncomingAsk, Offer, SignedPayment } from '../../swarm/port.js'
import { forgedVoucher, hostileAsk } from '../helpers/hostile-asker.js'
import { HostilePeer } from '../helpers/hostile-peer.js'
import type { HostileLine } from '../helpers/hostile-peer.js'
import { askOf, collect, echo, loopbackSwarm, terms, textBody } from '../helpers/loopback-swarm.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

const CHANNEL = new Uint8Array(32).fill(5)
const PREFIX = CHANNEL.subarray(0, 16)
const DEPOSIT = 1000n
const RECEIPT = new Uint8Array(840).fill(6)
const SESSION = new Uint8Array(16)
const signer = signingKeyPair()

let swarm: LoopbackSwarm
let provider: SwarmNode
let offer: Offer
const liars: HostilePeer[] = []
const held = new Map<string, Voucher>()
const waiting: (() => void)[] = []

before(async () => {
  swarm = await loopbackSwarm()
  provider = swarm.provider((ask) => void serve(ask), { onVoucher: take })
  await provider.ready()
  offer = provider.serve(terms()).offer
})

after(async () => {
  await Promise.all(liars.map((liar) => liar.close()))
  await swarm.close()
})

/** Echoes with a receipt; `hold` sends two tokens and waits. */
async function serve(ask: IncomingAsk): Promise<void> {
  const text = ask.body.kind === 'generate' && ask.body.prompt.kind === 'text' ? ask.body.prompt.text : ''
  if (text !== 'hold') return echo(ask, RECEIPT)
  for (const index of [0, 1]) await ask.tokens({ index, tokens: [7], channel: 'text', text: 'x', positions: null })
  ask.signal.addEventListener('abort', () => ask.receipt(RECEIPT))
}

/** What each peer holds a voucher for is kept by its key. */
function take(peer: Uint8Array, { channel, cumulative, expires, signature }: SignedPayment): Promise<void> {
  const key = b4a.toString(peer, 'hex')
  const signed = { voucher: { channel, cumulative: lamports(cumulative), expiresAt: expires }, signature }
  const rule = { channel: CHANNEL, signer: signer.publicKey, deposit: lamports(DEPOSIT), now: 1_795_000_000n }
  return new Promise((resolve) => {
    checkVoucher(signed, { ...rule, held: held.get(key) ?? null })
    held.set(key, signed.voucher)
    for (const wake of waiting.splice(0)) wake()
    resolve()
  })
}

function voucher(cumulative: bigint, over: Partial<Voucher> = {}, key = signer): SignedPayment {
  const voucher = { channel: CHANNEL, cumulative: lamports(cumulative), expiresAt: 0n, ...over }
  const { signature } = signVoucher(voucher, key.secretKey)
  return { channel: voucher.channel, cumulative, expires: voucher.expiresAt, signature }
}

async function connect(): Promise<{ readonly line: HostileLine; readonly peer: HostilePeer }> {
  const peer = new HostilePeer(swarm.bootstrap)
  liars.push(peer)
  const line = await peer.dial(provider.publicKey)
  assert.ok(line, 'the provider let nobody in')
  line.hello()
  return { line, peer }
}

function strikes({ keyPair }: HostilePeer): number | undefined {
  return provider.peers().find(({ key }) => b4a.equals(key, keyPair.publicKey))?.strikes
}

/** The session stands: it still answers. */
async function stands(line: HostileLine): Promise<void> {
  line.say('ask', hostileAsk(line, offer))
  await line.hear('done')
}

async function ends(line: HostileLine, code: string): Promise<void> {
  const error = await line.hear('error')
  assert.equal(error.code, code)
  assert.deepEqual([...error.id], [...SESSION])
  await line.closed
}

const BAD: readonly [string, string, () => SignedPayment][] = [
  ['a voucher lower than the one before', 'VOUCHER_NOT_HIGHER', () => voucher(4n)],
  [
    'a voucher as high as the one before that is another',
    'VOUCHER_NOT_HIGHER',
    () => voucher(5n, { expiresAt: 2n ** 40n }),
  ],
  ['a voucher of another channel', 'VOUCHER_OTHER_CHANNEL', () => voucher(9n, { channel: new Uint8Array(32).fill(9) })],
  ['a voucher signed with another key', 'VOUCHER_BAD_SIGNATURE', () => voucher(9n, {}, signingKeyPair())],
  ['a voucher under a signature of noise', 'VOUCHER_BAD_SIGNATURE', () => forgedVoucher(CHANNEL, 9n)],
  ['a voucher over more than the deposit', 'VOUCHER_OVER_DEPOSIT', () => voucher(DEPOSIT + 1n)],
  ['a voucher of the past', 'VOUCHER_EXPIRED', () => voucher(9n, { expiresAt: 1_700_000_000n })],
]

for (const [what, code, lie] of BAD) {
  test(`${what} is refused with ${code}: a strike, and the session goes on`, async () => {
    const { line, peer } = await connect()
    line.say('voucher', voucher(5n))
    const bad = lie()
    line.say('voucher', bad)
    const error = await line.hear('error')
    assert.equal(error.code, code)
    assert.deepEqual([...error.id], [...bad.channel.subarray(0, 16)])
    assert.equal(strikes(peer), 1)
    assert.equal(held.get(b4a.toString(peer.keyPair.publicKey, 'hex'))?.cumulative, 5n)
    await stands(line)
  })
}

test('the highest voucher again is no offence, however often', async () => {
  const { line, peer } = await connect()
  for (let i = 0; i < 10; i++) line.say('voucher', voucher(5n))
  line.say('voucher', voucher(4n))
  // The first thing that is said is about the eleventh.
  assert.equal((await line.hear('error')).code, 'VOUCHER_NOT_HIGHER')
  assert.equal(strikes(peer), 1)
})

test('three bad vouchers end the session with BANNED, and the peer stays out', async () => {
  const { line, peer } = await connect()
  for (let i = 0; i < 3; i++) line.say('voucher', forgedVoucher(CHANNEL, 9n))
  for (let i = 0; i < 3; i++) assert.equal((await line.hear('error')).code, 'VOUCHER_BAD_SIGNATURE')
  await ends(line, 'BANNED')
  assert.equal(await peer.dial(provider.publicKey), null)
  const honest = swarm.consumer()
  await honest.ready()
  assert.equal((await collect(honest.ask(askOf(offer, textBody('still here'))))).text, 'still here ')
})

test('a voucher that expires after the end of time is no voucher', async () => {
  const { line } = await connect()
  const { channel, signature } = voucher(9n)
  const bytes = b4a.concat(
    [[1], channel, new Uint8Array(8), new Uint8Array(8).fill(255), signature].map((part) => b4a.from(part)),
  )
  line.raw('voucher', bytes)
  await ends(line, 'BAD_MESSAGE')
})

test('vouchers without end are a flood', async () => {
  const { line } = await connect()
  const same = voucher(5n)
  for (let i = 0; i < 6000; i++) line.say('voucher', same)
  await ends(line, 'FLOODED')
})

test('a countersignature before the receipt ends the session', async () => {
  const { line } = await connect()
  const ask = hostileAsk(line, offer, { body: textBody('hold') })
  line.say('ask', ask)
  await line.hear('tokens')
  line.say('countersign', { id: ask.id, signature: randomBytes(64) })
  await ends(line, 'BAD_PROTOCOL')
})

test('a countersignature for a request of nobody, or of another peer, or a second one, changes nothing', async () => {
  const [one, two] = [await connect(), await connect()]
  const ask = hostileAsk(one.line, offer)
  one.line.say('ask', ask)
  await one.line.hear('done')
  two.line.say('countersign', { id: ask.id, signature: randomBytes(64) })
  two.line.say('countersign', { id: randomBytes(16), signature: randomBytes(64) })
  await stands(two.line)
  one.line.say('countersign', { id: ask.id, signature: randomBytes(64) })
  one.line.say('countersign', { id: ask.id, signature: randomBytes(64) })
  await stands(one.line)
  assert.deepEqual([strikes(one.peer), strikes(two.peer)], [0, 0])
})

test('the id of a request whose receipt is not signed yet cannot be used again', async () => {
  const { line } = await connect()
  const ask = hostileAsk(line, offer)
  line.say('ask', ask)
  await line.hear('done')
  line.say('ask', ask)
  await ends(line, 'BAD_PROTOCOL')
})

test('who says that it took more than was sent is cut off; who says less is taken at its word', async () => {
  const { line } = await connect()
  const ask = hostileAsk(line, offer, { body: textBody('hold') })
  line.say('ask', ask)
  await line.hear('tokens')
  line.say('cancel', { id: ask.id, reason: 'CANCELLED', taken: 1 })
  const late = await line.hear('receipt')
  assert.deepEqual([...late.receipt], [...RECEIPT])
  const again = hostileAsk(line, offer, { body: textBody('hold') })
  line.say('ask', again)
  await line.hear('tokens')
  line.say('cancel', { id: again.id, reason: 'CANCELLED', taken: 3 })
  await ends(line, 'BAD_PROTOCOL')
})

test('terms and receipts for requests that the provider never made are ignored, up to a flood', async () => {
  const { line } = await connect()
  line.say('receipt', { id: randomBytes(16), receipt: RECEIPT })
  line.say('terms', { id: randomBytes(16), promptTokens: 1, cachedTokens: 0, limit: 1n, window: 1n, ahead: 0n })
  line.say('error', { id: PREFIX, code: 'VOUCHER_EXPIRED', detail: '' })
  await stands(line)
  const id = randomBytes(16)
  for (let i = 0; i < 6000; i++) line.say('receipt', { id, receipt: new Uint8Array(1) })
  await ends(line, 'FLOODED')
})
