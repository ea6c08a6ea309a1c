/** A consumer against a provider that lies. Each lie ends the request with a code; no text that was not true gets out. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import b4a from 'b4a'
import type { SwarmNode } from '../../swarm/node.js'
import type { AnswerEvent, AskBody, AskLimits } from '../../swarm/port.js'
import { MAX_TEXT_BYTES } from '../../swarm/session/outgoing.js'
import { endingMessage } from '../../swarm/wire/done.js'
import { HostilePeer } from '../helpers/hostile-peer.js'
import type { Heard } from '../helpers/hostile-peer.js'
import { speaker } from '../helpers/hostile-speaker.js'
import type { Speaker } from '../helpers/hostile-speaker.js'
import { LIMITS, askOf, loopbackSwarm, terms, textBody } from '../helpers/loopback-swarm.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

let swarm: LoopbackSwarm
let consumer: SwarmNode
const liars: HostilePeer[] = []

before(async () => {
  swarm = await loopbackSwarm()
  consumer = swarm.consumer()
  await consumer.ready()
})

after(async () => {
  await Promise.all(liars.map((liar) => liar.close()))
  await swarm.close()
})

interface Told {
  readonly events: readonly AnswerEvent[]
  /** The code it ended with; null = it ended well. */
  readonly code: string | null
}

/** Asks a fresh liar, and lets it speak. */
async function told(
  lie: (heard: Heard, say: Speaker) => void | Promise<void>,
  body: AskBody = textBody('tell me'),
  limits: AskLimits = LIMITS,
): Promise<Told> {
  const liar = new HostilePeer(swarm.bootstrap)
  liars.push(liar)
  await liar.listen()
  const speaking = liar.asked().then((heard) => lie(heard, speaker(heard)))
  const events: AnswerEvent[] = []
  try {
    for await (const event of consumer.ask(askOf(liar.offer, body, { limits }))) events.push(event)
    return { events, code: null }
  } catch (error) {
    return { events, code: error instanceof Error && 'code' in error ? String(error.code) : 'no code' }
  } finally {
    await speaking
  }
}

test('a provider that tells the truth is believed', async () => {
  const { code, events } = await told((_, say) => (say.accept(), say.frame(0, 0), say.frame(1, 1), say.done(2)))
  assert.equal(code, null)
  assert.deepEqual(
    events.map((event) => event.type),
    ['accepted', 'tokens', 'tokens', 'done'],
  )
})

const LIES: readonly [string, string, number, (heard: Heard, say: Speaker) => void, AskBody?, AskLimits?][] = [
  ['output before it accepted', 'BAD_PROTOCOL', 0, (_, say) => say.frame(0, 0)],
  ['an end before it accepted', 'BAD_PROTOCOL', 0, (_, say) => say.done(0)],
  ['accepting twice', 'BAD_PROTOCOL', 0, (_, say) => (say.accept(), say.accept())],
  ['a frame twice', 'BAD_PROTOCOL', 1, (_, say) => (say.accept(), say.frame(0, 0), say.frame(0, 0))],
  ['a frame left out', 'BAD_PROTOCOL', 1, (_, say) => (say.accept(), say.frame(0, 0), say.frame(2, 1))],
  ['a position left out', 'BAD_PROTOCOL', 1, (_, say) => (say.accept(), say.frame(0, 0), say.frame(1, 2))],
  ['a position again', 'BAD_PROTOCOL', 1, (_, say) => (say.accept(), say.frame(0, 0), say.frame(1, 0))],
  ['an end with a frame left out', 'BAD_PROTOCOL', 1, (_, say) => (say.accept(), say.frame(0, 0), say.done(2))],
  [
    'more than was asked for',
    'BAD_PROTOCOL',
    1,
    (_, say) => (say.accept(), say.frame(0, 0), say.frame(1, 1, { tokens: [1, 2] })),
    textBody('two'),
    { ...LIMITS, maxTokens: 2 },
  ],
  ['vectors for text', 'BAD_PROTOCOL', 0, (_, say) => (say.accept(), say.vectors(0, 0, [Float32Array.of(1)]))],
  [
    'text for vectors',
    'BAD_PROTOCOL',
    0,
    (_, say) => (say.accept(), say.frame(0, 0)),
    { kind: 'embed', inputs: ['x'] },
  ],
  [
    'fewer vectors than inputs',
    'BAD_PROTOCOL',
    1,
    (_, say) => (say.accept(), say.vectors(0, 0, [Float32Array.of(1)]), say.done(1)),
    { kind: 'embed', inputs: ['x', 'y'] },
  ],
  [
    'more vectors than inputs',
    'BAD_PROTOCOL',
    0,
    (_, say) => (say.accept(), say.vectors(0, 0, [Float32Array.of(1), Float32Array.of(1)])),
    { kind: 'embed', inputs: ['x'] },
  ],
  [
    'a frame under another key',
    'BAD_SEAL',
    0,
    ({ line, ask }, say) => (
      say.accept(),
      line.say('tokens', { id: ask.id, sequence: 0, index: 0, sealed: b4a.alloc(40) })
    ),
  ],
  [
    'a sealed frame that is no frame',
    'UNKNOWN_VERSION',
    0,
    ({ line, ask, response }, say) => {
      say.accept()
      const nonsense = {
        ...endingMessage,
        encode: (state: { buffer: Uint8Array | null }) => void state.buffer?.fill(9),
      }
      const sealed = response.seal(nonsense, { stopText: null }, 'tokens', 0, 0)
      line.say('tokens', { id: ask.id, sequence: 0, index: 0, sealed })
    },
  ],
]

for (const [what, code, frames, lie, body, limits] of LIES) {
  test(`${what} ends the request with ${code}, after what was true`, async () => {
    const { code: got, events } = await told(lie, body, limits)
    assert.equal(got, code)
    assert.equal(events.filter(({ type }) => type === 'tokens' || type === 'vectors').length, frames)
  })
}

test('a provider that sends on without credit is cut off, and the reader holds no more than it said', async () => {
  const liar = new HostilePeer(swarm.bootstrap)
  liars.push(liar)
  await liar.listen()
  const asking = consumer.ask(askOf(liar.offer, textBody('tell me')))[Symbol.asyncIterator]()
  const first = asking.next()
  const heard = await liar.asked()
  const say = speaker(heard)
  say.accept()
  assert.equal((await first).done, false)
  for (let i = 0; i < 600; i++) say.frame(i, i)
  // The reader takes nothing more until the session has ended.
  await heard.line.closed
  let events = 0
  const rest = async (): Promise<void> => {
    for (let next = await asking.next(); !next.done; next = await asking.next()) events++
  }
  await assert.rejects(rest(), { code: 'BAD_PROTOCOL' })
  assert.equal(events, 512)
})

/** Sends what the credit allows and waits for more, like a provider that keeps to every rule but one. */
async function endless({ line }: Heard, say: Speaker, tokens: readonly number[], text: string): Promise<number> {
  say.accept()
  const cost = Math.max(1, tokens.length, Math.ceil((text.length + 100) / 512))
  let credit = 512
  for (let n = 0; ; n++) {
    try {
      while (credit <= 0) credit += (await line.hear('credit')).more
    } catch {
      return n
    }
    say.frame(n, n * tokens.length, { tokens, text })
    credit -= cost
  }
}

test('an endless stream that nobody pays for ends with its context, whatever the caller asked', async () => {
  let sent = 0
  const { code, events } = await told(async (heard, say) => {
    const tokens = Array.from({ length: 256 }, (_, i) => i)
    sent = await endless(heard, say, tokens, 'words ')
  })
  assert.equal(code, 'BAD_PROTOCOL')
  const positions = events.reduce((sum, event) => sum + (event.type === 'tokens' ? event.tokens.length : 0), 0)
  assert.equal(positions, terms().contextLength)
  assert.ok(sent > positions / 256)
})

test('an endless text without tokens ends before it fills the memory of whoever reads it', async () => {
  const { code, events } = await told(async (heard, say) => {
    await endless(heard, say, [], 'x'.repeat(65_000))
  })
  assert.equal(code, 'BAD_PROTOCOL')
  const bytes = events.reduce((sum, event) => sum + (event.type === 'tokens' ? event.text.length : 0), 0)
  assert.ok(bytes <= MAX_TEXT_BYTES && bytes > MAX_TEXT_BYTES - 65_000, String(bytes))
})

test('a provider that floods progress grows nothing: only the newest is kept', async () => {
  const liar = new HostilePeer(swarm.bootstrap)
  liars.push(liar)
  await liar.listen()
  const asking = consumer.ask(askOf(liar.offer, textBody('tell me')))[Symbol.asyncIterator]()
  const first = asking.next()
  const heard = await liar.asked()
  const say = speaker(heard)
  const { id } = heard.ask
  say.accept()
  await first
  for (let position = 0; position < 500; position++) heard.line.say('progress', { kind: 'queued', id, position })
  say.frame(0, 0)
  say.done(1)
  const seen: AnswerEvent[] = []
  // Leave time for all of it to arrive: the connection answers a challenge after everything before it.
  heard.line.say('challenge', {
    kind: 'challenge',
    id,
    modelRoot: new Uint8Array(32),
    beacon: new Uint8Array(32),
    blocks: 1,
  })
  await heard.line.hear('error')
  for (let next = await asking.next(); !next.done; next = await asking.next()) seen.push(next.value)
  assert.deepEqual(
    seen.map((event) => (event.type === 'queued' ? event.position : event.type)),
    [499, 'tokens', 'done'],
  )
})

test('refusals keep their code, their text and their retry-after; failures too', async () => {
  const refused = await told(({ line, ask }) =>
    line.say('answer', { kind: 'refused', id: ask.id, code: 'BUSY', retryAfterMs: 70, detail: 'full' }),
  )
  assert.equal(refused.code, 'BUSY')
  const failed = await told(({ line, ask }, say) => {
    say.accept()
    line.say('error', { id: ask.id, code: 'ENGINE_FAILED', detail: 'crashed' })
  })
  assert.equal(failed.code, 'ENGINE_FAILED')
  const strange = await told(({ line, ask }) =>
    line.say('answer', { kind: 'refused', id: ask.id, code: 'MOON_PHASE', retryAfterMs: null, detail: '' }),
  )
  assert.equal(strange.code, 'REFUSED')
})

test('a provider that hangs up after it accepted is PEER_LOST, with what came before', async () => {
  const { code, events } = await told(async ({ line }, say) => {
    say.accept()
    say.frame(0, 0)
    await new Promise(setImmediate)
    line.stream.end()
  })
  assert.equal(code, 'PEER_LOST')
  assert.equal(events.filter(({ type }) => type === 'tokens').length, 1)
})

test('a provider that goes silent is PEER_LOST when its lease has run out', async () => {
  const { code } = await told((_, say) => say.accept())
  assert.equal(code, 'PEER_LOST')
})

test('a deadline ends a request that a provider only keeps alive, and the provider is told', async () => {
  const { code } = await told(
    async ({ line, ask }, say) => {
      say.accept()
      line.say('progress', { kind: 'decoding', id: ask.id })
      const cancel = await line.hear('cancel')
      assert.equal(cancel.reason, 'DEADLINE_EXCEEDED')
    },
    textBody('slowly'),
    { ...LIMITS, deadlineMs: 300 },
  )
  assert.equal(code, 'DEADLINE_EXCEEDED')
})

test('a provider nobody can find is PEER_UNREACHABLE', async () => {
  const ghost = new HostilePeer(swarm.bootstrap)
  liars.push(ghost)
  const asking = consumer.ask(askOf(ghost.offer, textBody('anybody?')))[Symbol.asyncIterator]()
  await assert.rejects(asking.next(), { code: 'PEER_UNREACHABLE' })
})
