/**
 * Ten consumers stream while providers come, go, stall, lie and are killed. Every request ends with its own answer or
 * with a code, nobody else is hurt, and afterwards nothing is left: no session, no timer, no listener.
 */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { test } from 'node:test'
import b4a from 'b4a'
import { randomBytes } from '../../swarm/crypto.js'
import { SwarmError } from '../../swarm/errors.js'
import type { SwarmNode } from '../../swarm/node.js'
import type { IncomingAsk, Offer } from '../../swarm/port.js'
import { HostilePeer } from '../helpers/hostile-peer.js'
import { LIMITS, askOf, collect, echo, loopbackSwarm, offerAt, terms, textBody } from '../helpers/loopback-swarm.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

const CONSUMERS = 10
const REQUESTS = 8

/** Numerical Recipes' generator: the same storm every time, as far as scheduling allows. */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout' || kind === 'Immediate').length
}

/** Accepts, says a little, and then holds still: the socket lives, the work does not. */
async function stall(ask: IncomingAsk): Promise<void> {
  await ask.tokens({ index: 0, tokens: [0], channel: 'text', text: 'well ', positions: null })
}

/** Accepts, then fails in the middle. */
async function crash(ask: IncomingAsk): Promise<void> {
  await ask.tokens({ index: 0, tokens: [0], channel: 'text', text: 'well ', positions: null })
  ask.fail('ENGINE_FAILED', 'it fell over')
}

/** Lies to whoever asks, a different way each time. */
async function lieForever(liar: HostilePeer, random: () => number): Promise<void> {
  for (;;) {
    const heard = await liar.asked().catch(() => null)
    if (!heard) continue
    const { line, ask } = heard
    const lies = [
      () => line.raw('answer', randomBytes(40)),
      () => line.say('answer', { kind: 'refused', id: ask.id, code: 'MOON_PHASE', retryAfterMs: null, detail: '' }),
      () => line.say('tokens', { id: ask.id, sequence: 0, index: 0, sealed: randomBytes(64) }),
      () => line.raw('tokens', b4a.alloc(100_000, 1)),
      () => line.stream.destroy(),
    ]
    lies[Math.floor(random() * lies.length)]?.()
  }
}

interface Tally {
  readonly answered: number
  readonly codes: ReadonlyMap<string, number>
}

/** Asks one offer after the other; the answer is the prompt or an error with a code. */
async function consume(
  consumer: SwarmNode,
  liars: readonly Offer[],
  name: string,
  random: () => number,
): Promise<Tally> {
  let answered = 0
  const codes = new Map<string, number>()
  for (let i = 0; i < REQUESTS; i++) {
    const offers = [...consumer.offers(), ...liars]
    const offer = offers[Math.floor(random() * offers.length)] ?? (await offerAt(consumer))
    const prompt = Array.from({ length: 1 + Math.floor(random() * 40) }, (_, n) => `${name}.${i}.${n}`).join(' ')
    try {
      const { text } = await collect(
        consumer.ask(askOf(offer, textBody(prompt), { limits: { ...LIMITS, deadlineMs: 7000 } })),
      )
      assert.equal(text, `${prompt} `, 'an answer that belongs to another request')
      answered++
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1)
    }
  }
  return { answered, codes }
}

async function mortal(swarm: LoopbackSwarm, network: Uint8Array): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('../helpers/chaos-provider.js', import.meta.url))
  const child = fork(script, [String(swarm.bootstrap[0]?.port), b4a.toString(network, 'hex')], { stdio: 'ignore' })
  await once(child, 'message')
  return child
}

test('whatever becomes of the providers, every request ends, and nothing is left behind', async (t) => {
  const before = timers()
  const random = dice(7)
  const swarm = await loopbackSwarm()
  const network = randomBytes(32)
  const steady = swarm.provider((ask) => void echo(ask), { network })
  const { offer } = steady.serve(terms())
  const staller = swarm.provider((ask) => void stall(ask), { network })
  const crasher = swarm.provider((ask) => void crash(ask), { network })
  staller.serve(terms())
  crasher.serve(terms())
  const liars = [new HostilePeer(swarm.bootstrap), new HostilePeer(swarm.bootstrap)]
  let storm = true
  t.after(async () => {
    storm = false
    await Promise.all(liars.map((liar) => liar.close()))
    await swarm.close()
  })
  const consumers = Array.from({ length: CONSUMERS }, () => swarm.consumer({ network }))
  await Promise.all([steady, staller, crasher, ...consumers].map((node) => node.ready()))
  await Promise.all(liars.map((liar) => liar.listen()))
  for (const liar of liars) void lieForever(liar, random)

  const killing = (async () => {
    while (storm) {
      const child = await mortal(swarm, network)
      await new Promise((resolve) => setTimeout(resolve, 200 + 400 * random()))
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  })()
  const leaving = (async () => {
    while (storm) {
      const guest = swarm.provider((ask) => void echo(ask), { network })
      guest.serve(terms())
      await guest.ready()
      await new Promise((resolve) => setTimeout(resolve, 100 + 300 * random()))
      await guest.close()
    }
  })()

  const lies = liars.map((liar) => liar.offer)
  const tallies = await Promise.all(consumers.map((consumer, i) => consume(consumer, lies, `c${i}`, random)))
  storm = false
  await Promise.all([killing, leaving])

  for (const { answered, codes } of tallies) {
    assert.equal(
      [...codes.values()].reduce((sum, count) => sum + count, answered),
      REQUESTS,
    )
  }
  assert.ok(tallies.reduce((sum, { answered }) => sum + answered, 0) > 0, 'not one answer in the storm')
  for (const consumer of consumers) {
    assert.equal((await collect(consumer.ask(askOf(offer, textBody('calm again'))))).text, 'calm again ')
  }

  await Promise.all(liars.map((liar) => liar.close()))
  await swarm.close()
  for (const node of [steady, staller, crasher, ...consumers]) {
    assert.deepEqual([node.peers().length, node.eventNames().length], [0, 0])
  }
  assert.equal(timers(), before, 'a timer outlived its owner')
})
