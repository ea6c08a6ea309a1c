/** A provider against a consumer that lies. Whatever it says, the answer is a code, and the others are still served. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import b4a from 'b4a'
import { randomBytes } from '../../swarm/crypto.js'
import type { SwarmNode } from '../../swarm/node.js'
import type { Offer } from '../../swarm/port.js'
import type { Ask } from '../../swarm/wire/ask.js'
import { SAMPLES } from '../fixtures/wire-samples.js'
import { hostileAsk } from '../helpers/hostile-asker.js'
import type { AskLie } from '../helpers/hostile-asker.js'
import { HostilePeer, partyOf } from '../helpers/hostile-peer.js'
import type { HostileLine, Name } from '../helpers/hostile-peer.js'
import { askOf, collect, echo, loopbackSwarm, terms, textBody } from '../helpers/loopback-swarm.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

let swarm: LoopbackSwarm
let provider: SwarmNode
let offer: Offer
const liars: HostilePeer[] = []

before(async () => {
  swarm = await loopbackSwarm()
  provider = swarm.provider((ask) => void echo(ask))
  await provider.ready()
  offer = provider.serve(terms()).offer
})

after(async () => {
  await Promise.all(liars.map((liar) => liar.close()))
  await swarm.close()
})

function liar(): HostilePeer {
  const peer = new HostilePeer(swarm.bootstrap)
  liars.push(peer)
  return peer
}

async function connect(peer = liar()): Promise<{ readonly line: HostileLine; readonly peer: HostilePeer }> {
  const line = await peer.dial(provider.publicKey)
  assert.ok(line, 'the provider let nobody in')
  return { line, peer }
}

function ask(line: HostileLine, text = 'one two', head: AskLie['head'] = {}, party = partyOf(line)): Ask {
  return hostileAsk(line, offer, { body: textBody(text), head, party })
}

/** The session must end with this code. */
async function ends(line: HostileLine, code: string): Promise<void> {
  const error = await line.hear('error')
  assert.equal(error.code, code)
  assert.equal(b4a.equals(error.id, new Uint8Array(16)), true)
  await line.closed
}

const EVERY = new Map(SAMPLES.map(({ message, hex }) => [message.name, hex]))
const NAMES: readonly Name[] = [
  'offers',
  'ask',
  'answer',
  'progress',
  'tokens',
  'credit',
  'voucher',
  'done',
  'countersign',
  'cancel',
  'challenge',
  'error',
  'terms',
  'receipt',
]

for (const name of NAMES) {
  test(`${name} with a byte too many ends the session with BAD_MESSAGE`, async () => {
    const { line } = await connect()
    line.hello()
    line.raw(name, b4a.concat([b4a.from(EVERY.get(name) ?? '', 'hex'), b4a.from([7])]))
    await ends(line, 'BAD_MESSAGE')
  })

  test(`${name} of a future version ends the session with UNKNOWN_VERSION`, async () => {
    const { line } = await connect()
    line.hello()
    line.raw(name, b4a.from([9, 9, 9]))
    await ends(line, 'UNKNOWN_VERSION')
  })

  test(`${name} before hello ends the session with BAD_PROTOCOL`, async () => {
    const { line } = await connect()
    line.raw(name, b4a.from(EVERY.get(name) ?? '', 'hex'))
    await ends(line, 'BAD_PROTOCOL')
  })
}

const LIES: readonly [string, string, (line: HostileLine, peer: HostilePeer) => void][] = [
  ['hello twice', 'BAD_PROTOCOL', (line) => (line.hello(), line.hello())],
  ['a hello from another network', 'NETWORK_MISMATCH', (line) => line.hello({ network: new Uint8Array(32) })],
  ['a hello without a common version', 'VERSION_MISMATCH', (line) => line.hello({ versions: [2, 3] })],
  [
    'an ask sealed to somebody else',
    'BAD_SEAL',
    (line) => (line.hello(), line.say('ask', { ...ask(line), forProvider: randomBytes(80) })),
  ],
  [
    'an ask that another peer made',
    'BAD_SEAL',
    (line) => (line.hello(), line.say('ask', ask(line, 'x', {}, { ...partyOf(line), consumer: randomBytes(32) }))),
  ],
  [
    'an ask made for another connection',
    'BAD_SEAL',
    (line) => (line.hello(), line.say('ask', ask(line, 'x', {}, { ...partyOf(line), session: randomBytes(64) }))),
  ],
  [
    'an ask with a changed limit',
    'BAD_SEAL',
    (line) => (line.hello(), line.say('ask', { ...ask(line), maxTokens: 9 })),
  ],
  [
    'an ask whose resume point is not that of its body',
    'BAD_PROTOCOL',
    (line) => (line.hello(), line.say('ask', ask(line, 'x', { resume: 3 }))),
  ],
  [
    'an offer of one model for another',
    'BAD_PROTOCOL',
    (line) => (line.hello(), line.say('ask', ask(line, 'x', { modelRoot: randomBytes(32) }))),
  ],
  [
    'an offer with a wrong signature',
    'BAD_PROTOCOL',
    (line, peer) => (line.hello(), line.say('offers', { offers: [forged(peer)] })),
  ],
]

function forged(peer: HostilePeer): {
  readonly nodeKey: Uint8Array
  readonly signature: Uint8Array
  readonly signed: Uint8Array
} {
  const hex = SAMPLES.find(({ title }) => title === 'offer')?.hex ?? ''
  const signed = b4a.from(hex, 'hex')
  // Dates that hold today, so that the signature is what decides.
  const now = Date.now()
  const at = signed.byteLength - 19
  for (const [i, ms] of [now, now + 600_000].entries())
    new DataView(signed.buffer, signed.byteOffset).setBigUint64(at + 1 + i * 9, BigInt(ms), true)
  return { nodeKey: peer.keyPair.publicKey, signature: randomBytes(64), signed }
}

for (const [what, code, lie] of LIES) {
  test(`${what} ends the session with ${code}`, async () => {
    const { line, peer } = await connect()
    lie(line, peer)
    await ends(line, code)
  })
}

test('one request id for two asks ends the session, once the first is under way', async () => {
  const { line } = await connect()
  line.hello()
  const twice = ask(line, 'a b '.repeat(2000), { credit: 1 })
  line.say('ask', twice)
  line.say('ask', twice)
  await ends(line, 'BAD_PROTOCOL')
})

test('credit over its limit ends the session', async () => {
  const { line } = await connect()
  line.hello()
  const one = ask(line, 'a b '.repeat(2000), { credit: 1 })
  line.say('ask', one)
  line.say('credit', { id: one.id, more: 65_536 })
  await ends(line, 'BAD_PROTOCOL')
})

test('what is not supported yet is declined politely, and the session goes on', async () => {
  const { line } = await connect()
  line.hello()
  line.raw('challenge', b4a.from(EVERY.get('challenge') ?? '', 'hex'))
  line.raw('challenge', b4a.from(SAMPLES.find(({ title }) => title === 'challenge')?.hex ?? '', 'hex'))
  assert.equal((await line.hear('error')).code, 'UNSUPPORTED')
  line.raw('voucher', b4a.from(EVERY.get('voucher') ?? '', 'hex'))
  assert.equal((await line.hear('error')).code, 'UNSUPPORTED')
  const one = ask(line)
  line.say('ask', one)
  assert.equal((await line.hear('answer')).kind, 'accepted')
  await line.hear('done')
})

test('an ask for an offer that is not ours is refused with OFFER_UNKNOWN, one with a payment with UNSUPPORTED', async () => {
  const { line } = await connect()
  line.hello()
  line.say('ask', ask(line, 'x', { offerId: randomBytes(32) }))
  const unknown = await line.hear('answer')
  assert.equal(unknown.kind === 'refused' && unknown.code, 'OFFER_UNKNOWN')
  line.say(
    'ask',
    ask(line, 'x', { payment: { kind: 'channel', channel: randomBytes(32), voucher: null, proof: randomBytes(64) } }),
  )
  const paid = await line.hear('answer')
  assert.equal(paid.kind === 'refused' && paid.code, 'UNSUPPORTED')
})

test('the thirty-third ask at a time is refused with BUSY and a retry-after', async () => {
  const { line } = await connect()
  line.hello()
  const long = 'a '.repeat(3000)
  for (let i = 0; i < 33; i++) line.say('ask', ask(line, long, { credit: 0 }))
  for (;;) {
    const answer = await line.hear('answer')
    if (answer.kind === 'accepted') continue
    assert.equal(answer.code, 'BUSY')
    assert.ok(answer.retryAfterMs)
    return
  }
})

test('after three strikes the peer is not let in again, and everybody else is', async () => {
  const peer = liar()
  for (let i = 0; i < 3; i++) {
    const { line } = await connect(peer)
    line.hello()
    line.raw('ask', b4a.from([1]))
    await ends(line, 'BAD_MESSAGE')
  }
  assert.equal(await peer.dial(provider.publicKey), null)
  const honest = swarm.consumer()
  await honest.ready()
  const { text } = await collect(honest.ask(askOf(offer, textBody('still here'))))
  assert.equal(text, 'still here ')
})
