/** Too much of everything, to a provider whose clock stands still: what passes is the burst and no more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomBytes } from '../../swarm/crypto.js'
import type { Offer } from '../../swarm/port.js'
import { sealAsk } from '../../swarm/sealing.js'
import { HostilePeer } from '../helpers/hostile-peer.js'
import type { HostileLine } from '../helpers/hostile-peer.js'
import { NETWORK, askKeys, echo, loopbackSwarm, terms, textBody } from '../helpers/loopback-swarm.js'

interface Flood {
  readonly line: HostileLine
  readonly peer: HostilePeer
  readonly offer: Offer
}

async function flooding(test: (flood: Flood) => Promise<void>): Promise<void> {
  const swarm = await loopbackSwarm()
  const peer = new HostilePeer(swarm.bootstrap)
  const now = Date.now()
  try {
    const provider = swarm.provider((ask) => void echo(ask), { now: () => now })
    const { offer } = provider.serve(terms())
    await provider.ready()
    const line = await peer.dial(provider.publicKey)
    assert.ok(line)
    line.hello()
    await test({ line, peer, offer })
  } finally {
    await peer.close()
    await swarm.close()
  }
}

test('the two-thousand-and-first ask at once is RATE_LIMITED with a retry-after, before anything is opened', async () => {
  await flooding(async ({ line, peer, offer }) => {
    const head = {
      modelRoot: offer.modelRoot,
      // Not an offer of this provider, so that nothing is taken.
      offerId: randomBytes(32),
      maxTokens: null,
      maxCost: null,
      deadlineMs: 1000,
      resume: 0,
      credit: 512,
      payment: null,
    }
    const party = { network: NETWORK, consumer: peer.keyPair.publicKey, session: line.stream.handshakeHash }
    const { ask } = sealAsk({ ...head, id: randomBytes(16) }, textBody('x'), askKeys(offer.boxKey), party)
    for (let i = 0; i < 2001; i++) line.say('ask', { ...ask, id: randomBytes(16) })
    for (let i = 0; i < 2000; i++) {
      const answer = await line.hear('answer')
      assert.equal(answer.kind === 'refused' && answer.code, 'OFFER_UNKNOWN')
    }
    const last = await line.hear('answer')
    assert.ok(last.kind === 'refused')
    assert.deepEqual([last.code, last.retryAfterMs], ['RATE_LIMITED', 1])
  })
})

test('messages for no request are endured up to a bound, then the session ends with FLOODED', async () => {
  await flooding(async ({ line }) => {
    for (let i = 0; i < 2001; i++) line.say('cancel', { id: randomBytes(16), reason: 'CANCELLED', taken: null })
    assert.equal((await line.hear('error')).code, 'FLOODED')
    await line.closed
  })
})

test('challenges are declined a few times, then ignored', async () => {
  await flooding(async ({ line }) => {
    const challenge = {
      kind: 'challenge',
      id: randomBytes(16),
      modelRoot: randomBytes(32),
      beacon: randomBytes(32),
    } as const
    for (let i = 0; i < 20; i++) line.say('challenge', { ...challenge, blocks: 1 })
    // A second hello ends the session; what came before it has been handled by then.
    line.hello()
    const codes: string[] = []
    for (let code = ''; code !== 'BAD_PROTOCOL'; codes.push(code)) code = (await line.hear('error')).code
    assert.deepEqual(codes, ['UNSUPPORTED', 'UNSUPPORTED', 'UNSUPPORTED', 'UNSUPPORTED', 'BAD_PROTOCOL'])
  })
})
