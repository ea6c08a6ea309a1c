/** What a request leaves behind on both sides, in whole nodes over a real loopback swarm. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import b4a from 'b4a'
import { decodeRequest, decodeResponse } from '../../ledger/exchange.js'
import { isConsumerSigned, isProviderSigned } from '../../ledger/receipt.js'
import { receiptHash } from '../../ledger/transaction.js'
import type { SharedChannel } from '../../ledger/store/shared-channel.js'
import { Turns } from '../../ledger/store/turns.js'
import { networkId } from '../../daemon/identity.js'
import { openPayments } from '../../daemon/payment/open.js'
import type { Payments } from '../../daemon/payment/open.js'
import { openShared } from '../../daemon/payment/shared-log.js'
import { SwarmNode } from '../../swarm/node.js'
import { offerAt, textBody } from '../helpers/loopback-swarm.js'
import { chat, MODEL, nodes, recorded } from '../helpers/nodes.js'
import { processes } from '../helpers/processes.js'

test('after a free request both logs hold the same transaction, signed by both, and each side reads it with its seed alone', async (t) => {
  const net = await nodes(t)
  const provider = await net.provider('provider')
  const consumer = await net.consumer('consumer')
  const { status, text } = await chat(consumer, 'a question of some words', { max_tokens: 20 })
  assert.equal(status, 200)
  await recorded(1, consumer, provider)
  await consumer.close()
  await provider.close()
  const [[ours], [theirs]] = [await net.entries('consumer'), await net.entries('provider')]
  assert.ok(ours && theirs)
  assert.deepEqual([ours.role, theirs.role], ['consumer', 'provider'])
  assert.deepEqual(ours.transaction, theirs.transaction)
  assert.ok(isProviderSigned(ours.transaction) && isConsumerSigned(ours.transaction))
  assert.ok(b4a.equals(receiptHash(ours.transaction.statement), receiptHash(theirs.transaction.statement)))
  assert.deepEqual(ours.transaction.statement.usage, { input: 6, cached: 0, output: 20 })
  for (const [name, entry] of [
    ['consumer', ours],
    ['provider', theirs],
  ] as const) {
    const content = await net.ledger(name, (store, identity) => store.content(entry, identity.box()))
    assert.ok(content)
    const { body } = decodeRequest(content.request)
    assert.ok(body.kind === 'generate' && body.prompt.kind === 'chat')
    assert.equal(body.prompt.messages[0]?.content, 'a question of some words')
    const response = decodeResponse(content.response)
    assert.ok(response.kind === 'generate')
    assert.deepEqual([response.text, response.tokens.length, response.finish], [text, 20, 'length'])
  }
})

const WORDS = ['heron', 'quartz', 'lantern', 'thistle', 'ember', 'willow', 'cobalt', 'marrow']

/** Words that stand nowhere else. */
function secretOf(n: number): string {
  return Array.from({ length: 6 }, (_, i) => `${WORDS[(n >> (i * 2)) % WORDS.length] ?? ''}${n}${i}`).join(' ')
}

test('after a thousand requests and a kill -9 no file of either side holds a word of a prompt or an answer', async (t) => {
  const net = await processes(t)
  const { client, folder, kill } = net
  let asked = 0
  const worker = async (): Promise<void> => {
    while (asked < 1000) {
      const n = asked++
      const { choices } = await client.chat.completions.create({
        model: MODEL,
        messages: [{ role: 'user', content: secretOf(n) }],
        max_tokens: 12,
        seed: n,
      })
      assert.ok(choices[0]?.message.content)
    }
  }
  await Promise.all(Array.from({ length: 16 }, worker))
  await kill()
  const needles = [0, 1, 500, 998, 999].map((n) => b4a.from(secretOf(n)))
  const answers = [b4a.from('mock answer'), b4a.from('computed by any model')]
  const control = b4a.from('icdf-1')
  let readable = false
  for (const path of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!path.isFile()) continue
    const content = await readFile(join(path.parentPath, path.name))
    readable ||= content.indexOf(control) >= 0
    for (const needle of [...needles, ...answers]) {
      assert.equal(content.indexOf(needle), -1, `${path.name} holds "${b4a.toString(needle)}"`)
    }
  }
  assert.ok(readable, 'what a statement says openly can be found, so what is not found is not there')
  const { transactions, content } = await net.read('consumer')
  // Records are made beside the answers: how far behind they are at the kill is the machine's affair.
  assert.ok(transactions > 0)
  assert.match(content, /heron|quartz|lantern|thistle|ember|willow|cobalt|marrow/)
})

test('a provider killed in the middle of a stream leaves the consumer a claim over what came, and the next one its receipt', async (t) => {
  const net = await processes(t, { providers: 2, tokensPerSecond: 40 })
  const stream = await net.client.chat.completions.create({
    model: MODEL,
    messages: [{ role: 'user', content: 'hello there' }],
    max_tokens: 120,
    seed: 3,
    stream: true,
  })
  let chunks = 0
  for await (const chunk of stream) {
    assert.ok(chunk.id)
    // A chunk may hold many tokens where time is short.
    if (++chunks === 8) await net.killServing()
  }
  await net.kill('consumer', 'SIGTERM')
  const entries = await net.entries('consumer')
  assert.equal(entries.length, 2)
  const [last, first] = entries.map(({ transaction }) => transaction)
  assert.ok(first && last && !first.providerSignature && isConsumerSigned(first))
  assert.equal(first.statement.finish, 'lost')
  assert.ok(isProviderSigned(last) && isConsumerSigned(last))
  assert.equal(first.statement.usage.output + last.statement.usage.output, 120)
})

test('who hangs up in the middle of a stream leaves a record of what it took, signed by both', async (t) => {
  const net = await nodes(t)
  const provider = await net.provider('provider', { tokensPerSecond: 200 })
  const consumer = await net.consumer('consumer')
  const hangUp = new AbortController()
  const response = await fetch(`${consumer.apiUrl ?? ''}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model: MODEL,
      messages: [{ role: 'user', content: 'hello there' }],
      max_tokens: 4000,
      stream: true,
    }),
    signal: hangUp.signal,
  })
  const reader = response.body?.getReader()
  for (let chunks = 0; chunks < 10; chunks++) await reader?.read()
  hangUp.abort()
  await recorded(1, consumer, provider)
  await consumer.close()
  await provider.close()
  const [[ours], [theirs]] = [await net.entries('consumer'), await net.entries('provider')]
  assert.ok(ours && theirs)
  const { statement } = ours.transaction
  assert.equal(statement.finish, 'cancelled')
  assert.ok(statement.usage.output > 0 && statement.usage.output < 4000)
  assert.deepEqual(ours.transaction, theirs.transaction)
  assert.ok(isProviderSigned(ours.transaction) && isConsumerSigned(ours.transaction))
})

test('a node tells a peer what both of them signed, and a stranger nothing', async (t) => {
  const net = await nodes(t)
  await net.provider('provider')
  const asker = async (
    name: string,
  ): Promise<{ payments: Payments; swarm: SwarmNode; theirs: Promise<SharedChannel> }> => {
    const swarms: SwarmNode[] = []
    const payments = openPayments({
      options: {
        dataDir: net.folder(name),
        models: [],
        swarm: { bootstrap: null, host: null, network: 'test', invite: null, allow: null },
        credit: null,
        budget: { all: { perRequest: null, perDay: null }, keys: new Map() },
      },
      swarm: () => swarms[0] ?? null,
      complain: (message) => assert.fail(message),
      now: Date.now,
    })
    let tell: (channel: SharedChannel) => void = () => undefined
    const theirs = new Promise<SharedChannel>((resolve) => (tell = resolve))
    const swarm = new SwarmNode({
      keyPair: payments.keys,
      boxKeyPair: null,
      bootstrap: net.bootstrap,
      host: '127.0.0.1',
      network: networkId('test'),
      invite: null,
      allow: null,
      software: 'test',
      onAsk: null,
      onPeer: ({ key, stream }) => {
        const ends = { own: payments.keys.publicKey, peer: key }
        const channel = openShared(stream, { source: NOTHING, turns: new Turns(), ...ends })
        if (channel) tell(channel)
      },
    })
    swarms.push(swarm)
    t.after(async () => {
      await swarm.close()
      await payments.close()
    })
    await swarm.ready()
    return { payments, swarm, theirs }
  }
  const party = await asker('party')
  const stranger = await asker('stranger')
  const offer = await offerAt(party.swarm)
  const id = b4a.from('a transaction id')
  const limits = { maxTokens: 5, maxCost: null, deadlineMs: 60_000 }
  const order = { id, swarm: party.swarm, offer, body: textBody('hello there'), limits, caller: null }
  const { signal } = new AbortController()
  for await (const event of party.payments.purchases.ask({ ...order, signal, onLie: assert.fail })) assert.ok(event)
  await party.payments.books.settle(60_000)
  const channel = await party.theirs
  let part = await channel.ask()
  // The provider's copy is written when the countersignature has arrived.
  while (part.entries.length === 0) part = await channel.ask()
  assert.deepEqual(
    part.entries.map(({ transaction }) => transaction.statement.id),
    [id],
  )
  assert.ok(part.entries[0]?.ciphertext)
  assert.deepEqual((await (await stranger.theirs).ask()).entries, [])
})

const NOTHING = {
  forward: () => Promise.resolve([]),
  find: () => Promise.resolve([]),
  get: () => Promise.reject(new Error('there is nothing')),
  ciphertext: () => Promise.resolve(null),
}
