/** Nodes on a loopback DHT: who finds whom, who is let in, and what there is to see. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { randomBytes, signingKeyPair } from '../../swarm/crypto.js'
import { SwarmNode } from '../../swarm/node.js'
import type { IncomingAsk } from '../../swarm/port.js'
import { NETWORK, askOf, collect, echo, loopbackSwarm, offerAt, terms, textBody } from '../helpers/loopback-swarm.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

let swarm: LoopbackSwarm

before(async () => {
  swarm = await loopbackSwarm()
})

after(async () => {
  await swarm.close()
})

const parrot = (ask: IncomingAsk): void => void echo(ask)

/** A network of its own for each test, so that none finds another's peers. */
const fresh = (): { readonly network: Uint8Array } => ({ network: randomBytes(32) })

const named = (name: string) => (offer: { readonly modelName: string }) => offer.modelName === name

test('a consumer finds a provider by the model root and gets its answer', async () => {
  const net = fresh()
  const provider = swarm.provider(parrot, net)
  await provider.ready()
  provider.serve(terms())
  const consumer = swarm.consumer(net)
  await consumer.ready()
  await consumer.lookup(terms().modelRoot)
  const { text, events } = await collect(consumer.ask(askOf(await offerAt(consumer), textBody('hello big world'))))
  assert.equal(text, 'hello big world ')
  assert.equal(events.at(0)?.type, 'accepted')
  assert.equal(events.at(-1)?.type, 'done')
})

test('the lobby tells what there is to a consumer that knows no model root', async () => {
  const net = fresh()
  const provider = swarm.provider(parrot, net)
  provider.serve(terms('unheard-of'))
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  assert.equal((await offerAt(consumer)).modelName, 'unheard-of')
})

test('a provider that no topic leads to is met by its key, and offers what it serves', async () => {
  const net = fresh()
  const provider = swarm.provider(parrot, { ...net, invite: randomBytes(32) })
  provider.serve(terms('hidden'))
  await provider.ready()
  const consumer = swarm.consumer({ ...net, invite: randomBytes(32) })
  await consumer.ready()
  assert.equal(consumer.offers().length, 0)
  await consumer.meet(provider.publicKey, new AbortController().signal)
  assert.equal((await offerAt(consumer, named('hidden'))).modelName, 'hidden')
  await assert.rejects(consumer.meet(randomBytes(32), AbortSignal.abort()), { code: 'CANCELLED' })
})

test('a provider that comes later is heard of through the ones already there, and dialled by its key', async () => {
  const net = fresh()
  const first = swarm.provider(parrot, net)
  first.serve(terms('first'))
  await first.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  await offerAt(consumer, named('first'))
  const second = swarm.provider(parrot, net)
  second.serve(terms('second'))
  await second.ready()
  const offer = await offerAt(consumer, named('second'))
  const { text } = await collect(consumer.ask(askOf(offer, textBody('by gossip'))))
  assert.equal(text, 'by gossip ')
})

test('a withdrawn offer disappears at its consumers, and asking it is refused', async () => {
  const net = fresh()
  const provider = swarm.provider(parrot, net)
  const served = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  const offer = await offerAt(consumer)
  const gone = new Promise<void>((resolve) => {
    consumer.on('offers', () => {
      if (consumer.offers().length === 0) resolve()
    })
  })
  await served.withdraw()
  await gone
  await assert.rejects(collect(consumer.ask(askOf(offer, textBody('x')))), { code: 'OFFER_UNKNOWN' })
})

test('without the invite nobody finds a private swarm, with it everybody does', async () => {
  const invite = randomBytes(32)
  const net = { ...fresh(), invite }
  const provider = swarm.provider(parrot, net)
  provider.serve(terms())
  await provider.ready()
  const stranger = swarm.consumer({ ...net, invite: null })
  await stranger.ready()
  await stranger.lookup(terms().modelRoot)
  assert.deepEqual([stranger.offers().length, stranger.peers().length], [0, 0])
  const friend = swarm.consumer(net)
  await friend.ready()
  await friend.lookup(terms().modelRoot)
  assert.equal((await offerAt(friend)).modelName, terms().modelName)
})

test('an allow-list lets its members in and nobody else, even one who knows where to knock', async () => {
  const net = fresh()
  const member = signingKeyPair()
  const provider = swarm.provider(parrot, { ...net, allow: [member.publicKey] })
  const { offer } = provider.serve(terms())
  await provider.ready()
  const friend = swarm.consumer({ ...net, keyPair: member })
  await friend.ready()
  assert.equal((await collect(friend.ask(askOf(offer, textBody('in'))))).text, 'in ')
  const stranger = swarm.consumer(net)
  await stranger.ready()
  await assert.rejects(collect(stranger.ask(askOf(offer, textBody('out')))), { code: 'PEER_UNREACHABLE' })
})

test('networks on one DHT do not mix', async () => {
  const provider = swarm.provider(parrot, fresh())
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(fresh())
  await consumer.ready()
  await consumer.lookup(terms().modelRoot)
  assert.equal(consumer.offers().length, 0)
  await assert.rejects(collect(consumer.ask(askOf(offer, textBody('x')))), { code: 'PEER_LOST' })
})

test('peers and the DHT can be looked at', async () => {
  const net = fresh()
  const provider = swarm.provider(parrot, { ...net, software: 'parrot/1' })
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer({ ...net, software: 'asker/2' })
  await consumer.ready()
  await collect(consumer.ask(askOf(offer, textBody('x'))))
  const [there] = consumer.peers()
  assert.deepEqual(
    [there?.software, there?.roles, there?.asksOut, there?.asksIn, there?.client, there?.strikes],
    ['parrot/1', ['consumer', 'provider'], 1, 0, true, 0],
  )
  assert.ok((there?.bytesIn ?? 0) > 0 && (there?.bytesOut ?? 0) > 0)
  assert.equal(provider.peers()[0]?.software, 'asker/2')
  assert.equal(consumer.nat().reachable, true)
  assert.ok(consumer.nat().nodes > 0)
})

test('a node whose DHT cannot be reached is ready all the same, and closes', async () => {
  const lonely = new SwarmNode({
    keyPair: signingKeyPair(),
    boxKeyPair: null,
    // Port 9 of this machine: nobody there.
    bootstrap: [{ host: '127.0.0.1', port: 9 }],
    host: '127.0.0.1',
    network: NETWORK,
    invite: null,
    allow: null,
    software: 'lonely/1',
    onAsk: null,
  })
  await lonely.ready()
  assert.equal(lonely.nat().reachable, false)
  assert.throws(() => lonely.serve(terms()), { code: 'CANNOT_SERVE' })
  await lonely.close()
  await lonely.close()
  await assert.rejects(lonely.lookup(terms().modelRoot), { code: 'SWARM_CLOSED' })
})

test('lies that the daemon finds are strikes: the third bans the peer, ends its session and lets nobody dial it', async () => {
  const net = fresh()
  const provider = swarm.provider(parrot, net)
  provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  const offer = await offerAt(consumer)
  const asked = (): ReturnType<typeof collect> => collect(consumer.ask(askOf(offer, textBody('still there?'))))
  await asked()
  consumer.strike(provider.publicKey, 'a receipt over more than was sent')
  consumer.strike(provider.publicKey, 'the same again')
  assert.equal((await asked()).text, 'still there? ')
  assert.deepEqual(
    consumer.peers().map(({ strikes }) => strikes),
    [2],
  )
  const gone = new Promise<void>((resolve) => {
    provider.on('peers', () => {
      if (provider.peers().length === 0) resolve()
    })
  })
  consumer.strike(provider.publicKey, 'and again')
  await gone
  assert.deepEqual(consumer.peers(), [])
  await assert.rejects(asked(), { code: 'PEER_UNREACHABLE' })
  consumer.strike(randomBytes(32), 'a peer that is not connected')
})
