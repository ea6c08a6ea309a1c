/** Who is still there: askers that fall silent, providers that come back, clocks that are off. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { after, before, test } from 'node:test'
import b4a from 'b4a'
import fc from 'fast-check'
import { clockSkew, clockWarning } from '../../swarm/clock.js'
import { randomBytes } from '../../swarm/crypto.js'
import type { SwarmNode } from '../../swarm/node.js'
import type { IncomingAsk } from '../../swarm/port.js'
import { MAX_REDIALS, Redials } from '../../swarm/redials.js'
import { SILENT_TICKS, STILL, stepPulse } from '../../swarm/session/pulse.js'
import { hostileAsk } from '../helpers/hostile-asker.js'
import { HostilePeer } from '../helpers/hostile-peer.js'
import { askOf, collect, echo, loopbackSwarm, offerAt, terms, textBody } from '../helpers/loopback-swarm.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

let swarm: LoopbackSwarm

before(async () => {
  swarm = await loopbackSwarm()
})

after(async () => {
  await swarm.close()
})

test('whoever serves gives up after six seconds without a byte; whoever asks beats often enough', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (talks) => {
      let [asker, server] = [STILL, STILL]
      let sent = 0
      for (const talk of talks) {
        if (talk) sent += 100
        const beat = stepPulse(asker, { read: 0, written: sent, asking: true, serving: false })
        asker = beat.pulse
        assert.notEqual(beat.act, 'lost')
        if (beat.act === 'beat') sent += 21
        const step = stepPulse(server, { read: sent, written: 0, asking: false, serving: true })
        server = step.pulse
        assert.equal(step.act, 'none')
      }
    }),
  )
  let pulse = STILL
  for (let ticks = 0; ; ticks++) {
    const step = stepPulse(pulse, { read: 7, written: 0, asking: false, serving: true })
    pulse = step.pulse
    if (step.act !== 'lost') continue
    assert.equal(ticks, SILENT_TICKS)
    return
  }
})

test('an asker that falls silent is PEER_LOST to its provider, and an honest one may wait as long as it likes', async () => {
  const stopped: unknown[] = []
  let wake: () => void = () => {}
  const lost = new Promise<void>((resolve) => {
    wake = resolve
  })
  const serve = async (ask: IncomingAsk): Promise<void> => {
    ask.accept(0)
    ask.signal.addEventListener('abort', () => {
      stopped.push(ask.signal.reason)
      wake()
    })
    // The honest one is answered when the silent one is gone: it too says nothing until then.
    await lost
    if (!ask.signal.aborted) await echo(ask)
  }
  const net = { network: randomBytes(32) }
  const provider = swarm.provider((ask) => void serve(ask), net)
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  const peer = new HostilePeer(swarm.bootstrap, net.network)
  try {
    const line = await peer.dial(provider.publicKey)
    assert.ok(line)
    line.hello({ network: net.network })
    const party = { network: net.network, consumer: line.stream.publicKey, session: line.stream.handshakeHash }
    line.say('ask', hostileAsk(line, offer, { party }))
    await line.hear('answer')
    line.stream.setKeepAlive(0)
    const { text } = await collect(consumer.ask(askOf(offer, textBody('still here'))))
    assert.equal(text, 'still here ')
    assert.deepEqual(
      stopped.map((reason) => (reason as { code: string }).code),
      ['PEER_LOST'],
    )
  } finally {
    await peer.close()
  }
})

test('a provider that is killed and started anew under its key answers again, though others were connected all the time', async (t) => {
  const net = { network: randomBytes(32) }
  const script = fileURLToPath(new URL('../helpers/chaos-provider.js', import.meta.url))
  const seed = b4a.toString(randomBytes(32), 'hex')
  const start = async (): Promise<ChildProcess> => {
    const args = [String(swarm.bootstrap[0]?.port), b4a.toString(net.network, 'hex'), seed]
    const child = fork(script, args, { stdio: 'ignore' })
    t.after(() => child.kill('SIGKILL'))
    await once(child, 'message')
    return child
  }
  const other = swarm.provider((ask) => void echo(ask), net)
  other.serve(terms('another:f16'))
  await other.ready()
  const first = await start()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  await consumer.lookup(terms().modelRoot)
  const wanted = (node: SwarmNode) => offerAt(node, ({ modelName }) => modelName === terms().modelName)
  const offer = await wanted(consumer)
  const cut = (async () => {
    for await (const event of consumer.ask(askOf(offer, textBody('one two three four five six seven eight')))) {
      if (event.type === 'tokens') first.kill('SIGKILL')
    }
  })()
  const again = once(first, 'exit').then(start)
  await assert.rejects(cut, { code: 'PEER_LOST' })
  await again
  const { text } = await collect(consumer.ask(askOf(await freshOffer(consumer, offer.id), textBody('back again'))))
  assert.equal(text, 'back again ')
  assert.equal(consumer.peers().length, 2)
})

/** The offer that replaces the one with this id. */
function freshOffer(node: SwarmNode, old: Uint8Array): ReturnType<typeof offerAt> {
  return offerAt(node, ({ id, modelName }) => modelName === terms().modelName && !b4a.equals(id, old))
}

test('a lost provider is dialled until it is there, with growing pauses, and not for ever', async () => {
  let dials = 0
  const there = new Promise<void>((resolve) => {
    const redials = new Redials(() => {
      dials++
      if (dials < 3) return Promise.reject(new Error('nobody'))
      resolve()
      return Promise.resolve()
    }, [0, 1, 1, 1, 1])
    redials.start(Uint8Array.of(1))
    redials.start(Uint8Array.of(1))
    assert.equal(redials.size, 1)
  })
  await there
  assert.equal(dials, 3)
  const given = new Promise<number>((resolve) => {
    let count = 0
    const redials = new Redials(() => {
      if (++count === 2) setImmediate(() => setImmediate(() => resolve(redials.size)))
      return Promise.reject(new Error('nobody'))
    }, [0, 0])
    redials.start(Uint8Array.of(1))
  })
  assert.equal(await given, 0)
})

test('no more providers are dialled at a time than the bound, and none after the end', () => {
  const redials = new Redials(() => Promise.resolve(), [100_000])
  for (let i = 0; i < MAX_REDIALS + 5; i++) redials.start(Uint8Array.of(i))
  assert.equal(redials.size, MAX_REDIALS)
  redials.stop('00')
  assert.equal(redials.size, MAX_REDIALS - 1)
  redials.close()
  redials.start(Uint8Array.of(200))
  assert.equal(redials.size, 0)
})

test('the clock is judged by the median of at least two peers', () => {
  const skew = (...values: (number | null)[]): number | null =>
    clockSkew(values.map((clockSkewMs) => ({ clockSkewMs })))
  assert.equal(skew(), null)
  assert.equal(skew(null, 900_000), null)
  assert.equal(skew(900_000, 1000), 1000)
  assert.equal(skew(-900_000, -890_000), -890_000)
  assert.equal(skew(5, 900_000, 3, null), 5)
  const warning = (ms: number): string | null => clockWarning([{ clockSkewMs: ms }, { clockSkewMs: ms }])
  assert.equal(warning(59_000), null)
  assert.match(warning(600_000) ?? '', /10 minutes slow/)
  assert.match(warning(-60_000) ?? '', /1 minute fast/)
})

test('a node whose clock is ten minutes slow learns it from its peers’ hello', async () => {
  const net = { network: randomBytes(32) }
  const providers = [1, 2].map(() => swarm.provider((ask) => void echo(ask), net))
  for (const provider of providers) {
    provider.serve(terms())
    await provider.ready()
  }
  const slow = swarm.consumer({ ...net, now: () => Date.now() - 600_000 })
  await slow.ready()
  while (slow.peers().filter(({ clockSkewMs }) => clockSkewMs !== null).length < 2) {
    await new Promise((resolve) => slow.once('peers', resolve))
  }
  const ahead = clockSkew(slow.peers())
  assert.ok(ahead !== null && Math.abs(ahead - 600_000) < 60_000, `${ahead} ms`)
  assert.equal(slow.offers().length, 0)
})
