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
import { choose } from '../../swarm/choice.js'
import { SwarmError } from '../../swarm/errors.js'
import { History } from '../../swarm/history.js'
import type { SwarmNode } from '../../swarm/node.js'
import type { IncomingAsk, Offer } from '../../swarm/port.js'
import { HostilePeer } from '../helpers/hostile-peer.js'
import { LIMITS, askOf, collect, echo, loopbackSwarm, offerAt, terms, textBody } from '../helpers/loopback-swarm.js'
import { routeRequest } from '../helpers/offers.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

const CONSUMERS = 10
const REQUESTS = 8
/** For a provider to be asked, before it dies unasked. */
const PATIENCE_MS = 1500
const MOST_REQUESTS = 20 * REQUESTS
/** What the storm has to lead to, or it proves nothing. */
const SHOWN = ['ENGINE_FAILED', 'PEER_LOST']

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
  readonly asked: number
}

/**
 * Asks as a daemon does: chooses, remembers how it went, and tries somebody else. Answer or code, nothing else. On a slow
 * machine providers are born too late for the first requests: it goes on until the storm has shown what it is for.
 */
async function consume(
  consumer: SwarmNode,
  lies: readonly Offer[],
  name: string,
  random: () => number,
  seen: Set<string>,
): Promise<Tally> {
  let answered = 0
  const history = new History()
  const wanted = (i: number): boolean => i < REQUESTS || (i < MOST_REQUESTS && !SHOWN.every((code) => seen.has(code)))
  let asked = 0
  for (; wanted(asked); asked++) {
    const prompt = Array.from({ length: 1 + Math.floor(random() * 40) }, (_, n) => `${name}.${asked}.${n}`).join(' ')
    const tried: string[] = []
    for (let attempt = 0; attempt < 4; attempt++) {
      const offers = [...consumer.offers(), ...lies]
      const request = routeRequest({ modelRoot: terms().modelRoot, tried })
      const { chosen } = choose(request, offers, (offer) => history.get(hex(offer)), Date.now(), random)
      if (!chosen) break
      tried.push(hex(chosen))
      try {
        const limits = { ...LIMITS, deadlineMs: 7000 }
        const { text } = await collect(consumer.ask(askOf(chosen, textBody(prompt), { limits })))
        assert.equal(text, `${prompt} `, 'an answer that belongs to another request')
        history.note(hex(chosen), { type: 'answered', ttftMs: 10, tokensPerSecond: 50 }, Date.now())
        answered++
        break
      } catch (error) {
        if (!(error instanceof SwarmError)) throw error
        seen.add(error.code)
        history.note(hex(chosen), { type: 'failed' }, Date.now())
      }
    }
  }
  return { answered, asked }
}

function hex(offer: Offer): string {
  return b4a.toString(offer.nodeKey, 'hex')
}

async function mortal(
  swarm: LoopbackSwarm,
  network: Uint8Array,
): Promise<{ readonly child: ChildProcess; readonly key: unknown }> {
  const script = fileURLToPath(new URL('../helpers/chaos-provider.js', import.meta.url))
  const child = fork(script, [String(swarm.bootstrap[0]?.port), b4a.toString(network, 'hex')], { stdio: 'ignore' })
  const [key] = (await once(child, 'message')) as unknown[]
  return { child, key }
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
  const liars = [new HostilePeer(swarm.bootstrap, network), new HostilePeer(swarm.bootstrap, network)]
  let storm = true
  t.after(async () => {
    storm = false
    await Promise.all(liars.map((liar) => liar.close()))
    await swarm.close()
  })
  const consumers = Array.from({ length: CONSUMERS }, () => swarm.consumer({ network }))
  await Promise.all([steady, staller, crasher, ...consumers].map((node) => node.ready()))
  await Promise.all(liars.map((liar) => liar.listen()))
  await Promise.all(consumers.map((consumer) => offerAt(consumer)))
  for (const liar of liars) void lieForever(liar, random)

  const killing = (async () => {
    while (storm) {
      const { child, key } = await mortal(swarm, network)
      // Nobody notices the end of a provider that nobody knew.
      const known = (): boolean => consumers.some((consumer) => consumer.offers().some((offer) => hex(offer) === key))
      while (storm && !known()) await new Promise((resolve) => setTimeout(resolve, 20))
      // Most die in the middle of an answer; nobody may ask the others in time.
      let streaming = false
      child.once('message', () => (streaming = true))
      for (let left = PATIENCE_MS; storm && !streaming && left > 0; left -= 20)
        await new Promise((resolve) => setTimeout(resolve, 20))
      await new Promise((resolve) => setTimeout(resolve, 60 * random()))
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
  const codes = new Set<string>()
  const tallies = await Promise.all(consumers.map((consumer, i) => consume(consumer, lies, `c${i}`, random, codes)))
  storm = false
  await Promise.all([killing, leaving])

  for (const code of SHOWN) assert.ok(codes.has(code), `nothing in the storm led to ${code}`)
  const sum = (of: (tally: Tally) => number): number => tallies.reduce((total, tally) => total + of(tally), 0)
  const [answered, asked] = [sum((tally) => tally.answered), sum((tally) => tally.asked)]
  assert.ok(answered > asked / 2, `only ${answered} answers in the storm, of ${asked}`)
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
