/** What becomes of a request when somebody goes away or changes their mind. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { after, before, test } from 'node:test'
import b4a from 'b4a'
import { randomBytes } from '../../swarm/crypto.js'
import type { SwarmNode } from '../../swarm/node.js'
import type { AnswerEvent, IncomingAsk } from '../../swarm/port.js'
import { askOf, collect, loopbackSwarm, offerAt, terms, textBody } from '../helpers/loopback-swarm.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

let swarm: LoopbackSwarm

before(async () => {
  swarm = await loopbackSwarm()
})

after(async () => {
  await swarm.close()
})

/** A network of its own for each test, so that none finds another's peers. */
const fresh = (): { readonly network: Uint8Array } => ({ network: randomBytes(32) })

/** A provider that accepts, sends one token, and then only watches its signal. */
async function hanging(): Promise<{
  ask: (signal?: AbortSignal) => AsyncIterable<AnswerEvent>
  provider: SwarmNode
  consumer: SwarmNode
  stopped: Promise<unknown>
}> {
  const net = fresh()
  let stop: (reason: unknown) => void = () => {}
  const stopped = new Promise<unknown>((resolve) => {
    stop = resolve
  })
  const serve = async (ask: IncomingAsk): Promise<void> => {
    ask.signal.addEventListener('abort', () => stop(ask.signal.reason))
    await ask.tokens({ index: 0, tokens: [0], channel: 'text', text: 'well', positions: null })
  }
  const provider = swarm.provider((ask) => void serve(ask), net)
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  const ask = (signal = new AbortController().signal): AsyncIterable<AnswerEvent> =>
    consumer.ask(askOf(offer, textBody('x'), { signal }))
  return { ask, provider, consumer, stopped }
}

async function untilToken(answer: AsyncIterable<AnswerEvent>, then: () => void): Promise<void> {
  for await (const event of answer) if (event.type === 'tokens') then()
}

test('an abort ends the request with CANCELLED and reaches the provider', async () => {
  const { ask, stopped } = await hanging()
  const abort = new AbortController()
  await assert.rejects(
    untilToken(ask(abort.signal), () => abort.abort()),
    { code: 'CANCELLED' },
  )
  assert.equal(((await stopped) as { code: string }).code, 'CANCELLED')
})

test('a reader that leaves early cancels', async () => {
  const { ask, stopped } = await hanging()
  for await (const event of ask()) if (event.type === 'tokens') break
  assert.equal(((await stopped) as { code: string }).code, 'CANCELLED')
})

test('a signal that is aborted before it begins asks nobody', async () => {
  const { ask, provider } = await hanging()
  await assert.rejects(collect(ask(AbortSignal.abort())), { code: 'CANCELLED' })
  assert.equal(
    provider.peers().reduce((sum, peer) => sum + peer.asksIn, 0),
    0,
  )
})

test('a provider that closes mid-answer is PEER_LOST', async () => {
  const { ask, provider } = await hanging()
  await assert.rejects(
    untilToken(ask(), () => void provider.close()),
    { code: 'PEER_LOST' },
  )
})

test('a consumer that closes mid-answer ends its request and the provider’s work', async () => {
  const { ask, consumer, stopped } = await hanging()
  await assert.rejects(
    untilToken(ask(), () => void consumer.close()),
    { code: 'SWARM_CLOSED' },
  )
  assert.ok(await stopped)
  await assert.rejects(collect(ask()), { code: 'SWARM_CLOSED' })
})

test('a provider that throws the same ask’s end twice sends one', async () => {
  const net = fresh()
  const serve = (ask: IncomingAsk): void => {
    ask.refuse('BUSY', 'full', 250)
    ask.done('stop', null, { prompt: 0, cached: 0, output: 0, thought: 0 })
    ask.fail('ENGINE_FAILED', 'too late')
    ask.refuse('BANNED', 'later still')
    void ask.tokens({ index: 0, tokens: [1], channel: 'text', text: 'x', positions: null })
  }
  const provider = swarm.provider(serve, net)
  const { offer } = provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  await assert.rejects(collect(consumer.ask(askOf(offer, textBody('x')))), { code: 'BUSY', retryAfterMs: 250 })
})

const UNSENDABLE: readonly [string, (ask: IncomingAsk) => void][] = [
  [
    'a token id that is no number',
    (ask) => void ask.tokens({ index: 0, tokens: [NaN], channel: 'text', text: '', positions: null }),
  ],
  [
    'a token of a kilobyte',
    (ask) =>
      void ask.tokens({
        index: 0,
        tokens: [1],
        channel: 'text',
        text: '',
        positions: [{ token: 1, logprob: -1, bytes: new Uint8Array(1024), top: [] }],
      }),
  ],
  [
    'a logprob that is no number',
    (ask) =>
      void ask.tokens({
        index: 0,
        tokens: [1],
        channel: 'text',
        text: '',
        positions: [{ token: 1, logprob: NaN, bytes: new Uint8Array(1), top: [] }],
      }),
  ],
  ['a vector that is not all numbers', (ask) => void ask.vectors(0, [Float32Array.of(1, NaN)])],
  ['a negative usage', (ask) => ask.done('stop', null, { prompt: -1, cached: 0, output: 0, thought: 0 })],
  [
    'a stop string of a kilobyte',
    (ask) => ask.done('stop', 's'.repeat(1024), { prompt: 1, cached: 0, output: 0, thought: 0 }),
  ],
]

for (const [what, produce] of UNSENDABLE) {
  test(`${what} ends the request with ENGINE_FAILED, and the provider goes on`, async () => {
    const net = fresh()
    const provider = swarm.provider(produce, net)
    const { offer } = provider.serve(terms())
    await provider.ready()
    const consumer = swarm.consumer(net)
    await consumer.ready()
    for (let i = 0; i < 2; i++) {
      await assert.rejects(collect(consumer.ask(askOf(offer, textBody('x')))), { code: 'ENGINE_FAILED' })
    }
    assert.equal(consumer.peers().length, 1)
  })
}

test('a provider that closes is off its consumers’ lists at once', async () => {
  const net = fresh()
  const provider = swarm.provider(() => {}, net)
  provider.serve(terms())
  await provider.ready()
  const consumer = swarm.consumer(net)
  await consumer.ready()
  await offerAt(consumer)
  const empty = emptied(consumer)
  await provider.close()
  await empty
})

test('a provider that is killed is PEER_LOST, and off the list until it is heard from again', async (t) => {
  const net = fresh()
  const script = fileURLToPath(new URL('../helpers/chaos-provider.js', import.meta.url))
  const child = fork(script, [String(swarm.bootstrap[0]?.port), b4a.toString(net.network, 'hex')], { stdio: 'ignore' })
  t.after(() => child.kill('SIGKILL'))
  await once(child, 'message')
  const consumer = swarm.consumer(net)
  await consumer.ready()
  await consumer.lookup(terms().modelRoot)
  const offer = await offerAt(consumer)
  const empty = emptied(consumer)
  const answer = consumer.ask(askOf(offer, textBody('one two three four five six seven eight')))
  await assert.rejects(
    untilToken(answer, () => child.kill('SIGKILL')),
    { code: 'PEER_LOST' },
  )
  await empty
  assert.equal(consumer.peers().length, 0)
})

function emptied(node: SwarmNode): Promise<void> {
  return new Promise((resolve) => {
    node.on('offers', () => {
      if (node.offers().length === 0) resolve()
    })
  })
}
