/** A consumer against a provider that lies about terms and receipts. What a receipt says is judged by the ledger. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { signRaw } from '../../ledger/crypto.js'
import { randomBytes, signingKeyPair } from '../../swarm/crypto.js'
import type { SwarmNode } from '../../swarm/node.js'
import type { AnswerEvent, AskOptions, AskPayment } from '../../swarm/port.js'
import { HostilePeer } from '../helpers/hostile-peer.js'
import type { Heard } from '../helpers/hostile-peer.js'
import { speaker } from '../helpers/hostile-speaker.js'
import type { Speaker } from '../helpers/hostile-speaker.js'
import { LIMITS, askOf, loopbackSwarm, textBody } from '../helpers/loopback-swarm.js'
import type { LoopbackSwarm } from '../helpers/loopback-swarm.js'

const CHANNEL = new Uint8Array(32).fill(5)
const signer = signingKeyPair()
const PAYMENT: AskPayment = {
  kind: 'channel',
  channel: CHANNEL,
  voucher: null,
  prove: (claim) => signRaw(signer.secretKey, claim),
}
const RECEIPT = new Uint8Array(840).fill(6)

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
  readonly receipts: readonly Uint8Array[]
  /** The code it ended with; null = it ended well. */
  readonly code: string | null
  readonly heard: Heard
}

/** Asks a fresh liar, and lets it speak. */
async function told(
  lie: (say: Speaker, heard: Heard) => void | Promise<void>,
  over: Partial<AskOptions> = {},
): Promise<Told> {
  const liar = new HostilePeer(swarm.bootstrap)
  liars.push(liar)
  await liar.listen()
  const speaking = liar.asked().then(async (heard) => {
    await lie(speaker(heard), heard)
    return heard
  })
  const events: AnswerEvent[] = []
  const receipts: Uint8Array[] = []
  const onLateReceipt = (receipt: Uint8Array): void => void receipts.push(receipt)
  let code: string | null = null
  try {
    const options = askOf(liar.offer, textBody('tell me'), { payment: PAYMENT, onLateReceipt, ...over })
    for await (const event of consumer.ask(options)) events.push(event)
  } catch (error) {
    code = error instanceof Error && 'code' in error ? String(error.code) : 'no code'
  }
  return { events, receipts, code, heard: await speaking }
}

/** Everything that was said before has been handled, and the session stands: it answers a challenge. */
async function stands({ line, ask }: Heard): Promise<void> {
  const nothing = new Uint8Array(32)
  line.say('challenge', { kind: 'challenge', id: ask.id, modelRoot: nothing, beacon: nothing, blocks: 1 })
  assert.equal((await line.hear('error')).code, 'UNSUPPORTED')
}

test('a provider that states terms, delivers and sends a receipt is believed so far', async () => {
  const { code, events } = await told((say) => {
    say.accept()
    say.terms()
    say.frame(0, 0)
    say.done(1, { receipt: RECEIPT })
  })
  assert.equal(code, null)
  assert.deepEqual(
    events.map(({ type }) => type),
    ['accepted', 'terms', 'tokens', 'done'],
  )
})

const LIES: readonly [string, (say: Speaker, heard: Heard) => void, Partial<AskOptions>?][] = [
  ['terms before it accepted', (say) => say.terms()],
  ['terms twice', (say) => (say.accept(), say.terms(), say.terms({ limit: 1n }))],
  ['terms after output', (say) => (say.accept(), say.frame(0, 0), say.terms())],
  [
    'terms after the prefill began',
    (say, { line, ask }) => {
      say.accept()
      line.say('progress', { kind: 'prefill', id: ask.id, done: 0, total: 9, cached: 0 })
      say.terms()
    },
  ],
  ['terms for a free request', (say) => (say.accept(), say.terms()), { payment: null }],
  ['a receipt before the end', (say) => (say.accept(), say.frame(0, 0), say.receipt(RECEIPT))],
]

for (const [what, lie, over] of LIES) {
  test(`${what} ends the request and the session with BAD_PROTOCOL`, async () => {
    const { code, heard } = await told(lie, over)
    assert.equal(code, 'BAD_PROTOCOL')
    assert.equal((await heard.line.hear('error')).code, 'BAD_PROTOCOL')
    await heard.line.closed
  })
}

test('a receipt after a failure is taken once; the second ends the session', async () => {
  const { code, receipts, heard } = await told((say) => (say.accept(), say.frame(0, 0), say.fail('ENGINE_FAILED')))
  assert.equal(code, 'ENGINE_FAILED')
  const say = speaker(heard)
  say.receipt(RECEIPT)
  await stands(heard)
  assert.deepEqual(
    receipts.map((one) => [...one]),
    [[...RECEIPT]],
  )
  say.receipt(RECEIPT)
  assert.equal((await heard.line.hear('error')).code, 'BAD_PROTOCOL')
  await heard.line.closed
  assert.equal(receipts.length, 1)
})

test('a receipt after done, or for a request that never was, is ignored, up to a flood', async () => {
  const { code, receipts, heard } = await told((say) => (say.accept(), say.frame(0, 0), say.done(1)))
  assert.equal(code, null)
  speaker(heard).receipt(RECEIPT)
  heard.line.say('receipt', { id: randomBytes(16), receipt: RECEIPT })
  heard.line.say('error', { id: randomBytes(16), code: 'VOUCHER_EXPIRED', detail: 'of no channel' })
  await stands(heard)
  assert.equal(receipts.length, 0)
  const id = randomBytes(16)
  for (let i = 0; i < 6000; i++) heard.line.say('receipt', { id, receipt: new Uint8Array(1) })
  assert.equal((await heard.line.hear('error')).code, 'FLOODED')
})

test('a receipt that is no transaction arrives as the bytes it is: the ledger judges it', async () => {
  const { events, code } = await told((say) => {
    say.accept()
    say.frame(0, 0)
    say.done(1, { receipt: new Uint8Array(3), usage: { prompt: 1, cached: 0, output: 99, thought: 0 } })
  })
  assert.equal(code, null)
  const done = events.at(-1)
  assert.ok(done?.type === 'done')
  assert.deepEqual([done.receipt?.byteLength, done.usage.output], [3, 99])
})

test('a receipt larger than any transaction ends the session with MESSAGE_TOO_LARGE', async () => {
  const { code } = await told((say, { line, ask }) => {
    say.accept()
    line.raw('receipt', new Uint8Array(20_000).fill(1))
    assert.ok(ask.payment?.kind === 'channel' && ask.payment.voucher === null)
  })
  assert.equal(code, 'MESSAGE_TOO_LARGE')
})

test('a provider that refuses a voucher ends what that channel pays for, and is told to stop', async () => {
  const { code, heard } = await told((say, { line }) => {
    say.accept()
    say.frame(0, 0)
    line.say('error', { id: CHANNEL.subarray(0, 16), code: 'VOUCHER_EXPIRED', detail: '' })
  })
  assert.equal(code, 'PAYMENT_REQUIRED')
  const cancel = await heard.line.hear('cancel')
  assert.equal(cancel.reason, 'PAYMENT_REQUIRED')
  await stands(heard)
})

test('a stream without end goes no further than the tokens asked for', async () => {
  const { code, events } = await told(
    (say) => {
      say.accept()
      for (let i = 0; i < 400; i++) say.frame(i, i)
    },
    { limits: { ...LIMITS, maxTokens: 300 } },
  )
  assert.equal(code, 'BAD_PROTOCOL')
  assert.equal(events.filter(({ type }) => type === 'tokens').length, 300)
})

test('a provider that waits for a voucher keeps its lease as long as it likes, and gives up when it says so', async () => {
  const { code, events } = await told(async (say, { line, ask }) => {
    say.accept()
    say.terms({ ahead: 5n })
    // Longer than the lease of five seconds.
    for (let i = 0; i < 7; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1000))
      line.say('progress', { kind: 'queued', id: ask.id, position: 0 })
    }
    say.fail('PAYMENT_REQUIRED')
  })
  assert.equal(code, 'PAYMENT_REQUIRED')
  assert.equal(events[1]?.type, 'terms')
})
