/** What travels in an ask and its answer, at what pace. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import b4a from 'b4a'
import { randomBytes } from '../../swarm/crypto.js'
import type { AskPosition, IncomingAsk } from '../../swarm/port.js'
import { askOf, collect, echo, loopbackSwarm, terms, textBody } from '../helpers/loopback-swarm.js'
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

test('thoughts, positions, stop text, usage and vectors arrive as they were sent', async () => {
  const net = fresh()
  const position: AskPosition = {
    token: 5,
    logprob: -0.25,
    bytes: b4a.from('ü'),
    top: [{ token: 5, logprob: -0.25, bytes: b4a.from('ü') }],
  }
  const vector = Float32Array.from({ length: 384 }, (_, i) => i / 384)
  const serve = async (ask: IncomingAsk): Promise<void> => {
    ask.queued(2)
    ask.prefill(10, 20, 5)
    if (ask.body.kind === 'embed') {
      await ask.vectors(0, [vector])
      await ask.vectors(1, [vector])
    } else {
      await ask.tokens({ index: 0, tokens: [4], channel: 'thought', text: 'hm', positions: null })
      await ask.tokens({ index: 1, tokens: [5], channel: 'text', text: 'ü', positions: [position] })
    }
    ask.done('stop', 'END', { prompt: 3, cached: 1, output: 2, thought: 1 })
  }
  const provider = swarm.provider((ask) => void serve(ask), net)
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  const { events } = await collect(consumer.ask(askOf(offer, textBody('x'))))
  const plain = events.filter(({ type }) => type !== 'queued' && type !== 'prefill')
  const done = events.at(-1)
  assert.ok(done?.type === 'done')
  assert.deepEqual(plain.slice(0, -1), [
    { type: 'accepted', queuePosition: 2 },
    { type: 'tokens', index: 0, tokens: [4], channel: 'thought', text: 'hm', positions: null },
    { type: 'tokens', index: 1, tokens: [5], channel: 'text', text: 'ü', positions: [position] },
  ])
  assert.deepEqual(
    [done.finish, done.stopText, done.usage],
    ['stop', 'END', { prompt: 3, cached: 1, output: 2, thought: 1 }],
  )
  const embedded = await collect(consumer.ask(askOf(offer, { kind: 'embed', inputs: ['a', [1, 2]] })))
  const vectors = embedded.events.flatMap((event) => (event.type === 'vectors' ? event.vectors : []))
  assert.deepEqual(vectors, [vector, vector])
})

test('a resumed ask goes on at its resume point', async () => {
  const net = fresh()
  const provider = swarm.provider(parrot, net)
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  const { text, tokens } = await collect(consumer.ask(askOf(offer, textBody('a b c d', { resume: [0, 1] }))))
  assert.deepEqual([text, tokens], ['c d ', [2, 3]])
})

test('a slow reader slows the provider, which is never far ahead of it', async () => {
  const net = fresh()
  const total = 20_000
  let produced = 0
  let read = 0
  let ahead = 0
  const serve = async (ask: IncomingAsk): Promise<void> => {
    for (; produced < total && !ask.signal.aborted; produced++) {
      ahead = Math.max(ahead, produced - read)
      await ask.tokens({ index: produced, tokens: [produced], channel: 'text', text: 'x', positions: null })
    }
    ask.done('length', null, { prompt: 1, cached: 0, output: total, thought: 0 })
  }
  const provider = swarm.provider((ask) => void serve(ask), net)
  const { offer } = provider.serve(terms('parrot:f16', { contextLength: 2 * total }))
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  for await (const event of consumer.ask(askOf(offer, textBody('go')))) {
    if (event.type !== 'tokens') continue
    await new Promise(setImmediate)
    read += event.tokens.length
  }
  assert.equal(read, total)
  // The window, and a frame at each end.
  assert.ok(ahead <= 512 + 3 * 256, `the provider was ${ahead} tokens ahead`)
})

test('more asks at a time than a session takes wait for their turn, and all are answered', async () => {
  const net = fresh()
  const provider = swarm.provider(parrot, net)
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, i) => collect(consumer.ask(askOf(offer, textBody(`number ${i}`))))),
  )
  assert.deepEqual(
    answers.map(({ text }) => text),
    Array.from({ length: 100 }, (_, i) => `number ${i} `),
  )
})

test('a prompt of many megabytes travels whole', async () => {
  const net = fresh()
  const serve = (ask: IncomingAsk): void => {
    const length = ask.body.kind === 'generate' && ask.body.prompt.kind === 'text' ? ask.body.prompt.text.length : 0
    ask.done('stop', null, { prompt: length, cached: 0, output: 0, thought: 0 })
  }
  const provider = swarm.provider(serve, net)
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  const { events } = await collect(consumer.ask(askOf(offer, textBody('m'.repeat(12_000_000)))))
  const done = events.at(-1)
  assert.equal(done?.type === 'done' && done.usage.prompt, 12_000_000)
  await assert.rejects(collect(consumer.ask(askOf(offer, textBody('m'.repeat(17_000_000))))), { code: 'OUT_OF_BOUNDS' })
})

test('two nodes that serve each other and ask at the same moment both get their answers', async () => {
  for (let round = 0; round < 5; round++) {
    const net = fresh()
    const [a, b] = [swarm.provider(parrot, net), swarm.provider(parrot, net)]
    const [offerA, offerB] = [a.serve(terms('a')).offer, b.serve(terms('b')).offer]
    await Promise.all([a.ready(), b.ready()])
    const [one, two] = await Promise.all([
      collect(a.ask(askOf(offerB, textBody('from a')))),
      collect(b.ask(askOf(offerA, textBody('from b')))),
    ])
    assert.deepEqual([one.text, two.text], ['from a ', 'from b '])
    await Promise.all([a.close(), b.close()])
  }
})
