import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import {
  FrameCipher,
  boxKeyPair,
  hash,
  openKey,
  randomBytes,
  sealKey,
  sign,
  signingKeyPair,
  subkey,
  verify,
} from '../../swarm/crypto.js'
import { openAsk, sealAsk } from '../../swarm/sealing.js'
import type { Ask } from '../../swarm/wire/ask.js'
import { decode, encode } from '../../swarm/wire/codec.js'
import { bodyMessage } from '../../swarm/wire/body.js'
import { endingMessage } from '../../swarm/wire/done.js'
import { frameMessage } from '../../swarm/wire/frame.js'
import { askKeys, textBody } from '../helpers/loopback-swarm.js'

const NETWORK = new Uint8Array(32).fill(1)
const consumer = signingKeyPair().publicKey
const party = { network: NETWORK, consumer, session: new Uint8Array(64).fill(4) }
const box = boxKeyPair()

function sealed(): ReturnType<typeof sealAsk> {
  const head = {
    id: randomBytes(16),
    modelRoot: new Uint8Array(32).fill(2),
    offerId: new Uint8Array(32).fill(3),
    maxTokens: 10,
    maxCost: 5n,
    deadlineMs: 1000,
    resume: 0,
    credit: 512,
    payment: null,
  }
  return sealAsk(head, textBody('a secret'), askKeys(box.publicKey), party)
}

test('the provider reads what the consumer sealed, and both read the answer alike', () => {
  const { ask, response } = sealed()
  const opened = openAsk(ask, box, party)
  assert.deepEqual(opened.body, textBody('a secret'))
  const frame = { kind: 'text', channel: 'text', tokens: [1], text: 'hi', positions: null } as const
  const bytes = opened.response.seal(frameMessage, frame, 'tokens', 4, 0)
  assert.deepEqual(response.open(frameMessage, bytes, 'tokens', 4, 0), frame)
})

test('nothing of the prompt shows in the bytes of an ask', () => {
  const { ask } = sealed()
  assert.equal(b4a.toString(ask.body, 'latin1').includes('secret'), false)
})

const TAMPERED: readonly [string, (ask: Ask) => Ask][] = [
  ['the request id', (ask) => ({ ...ask, id: randomBytes(16) })],
  ['the model root', (ask) => ({ ...ask, modelRoot: randomBytes(32) })],
  ['the offer', (ask) => ({ ...ask, offerId: randomBytes(32) })],
  ['the number of tokens', (ask) => ({ ...ask, maxTokens: 11 })],
  ['the cost limit', (ask) => ({ ...ask, maxCost: null })],
  ['the deadline', (ask) => ({ ...ask, deadlineMs: 1001 })],
  ['the resume point', (ask) => ({ ...ask, resume: 1 })],
  ['the credit', (ask) => ({ ...ask, credit: 513 })],
  [
    'the payment',
    (ask) => ({
      ...ask,
      payment: { kind: 'channel', channel: randomBytes(32), voucher: null, proof: randomBytes(64) },
    }),
  ],
  ['the content key', (ask) => ({ ...ask, forProvider: sealKey(randomBytes(32), box.publicKey) })],
  ['the consumer’s seal', (ask) => ({ ...ask, forConsumer: randomBytes(80) })],
  ['a bit of the body', (ask) => ({ ...ask, body: ask.body.map((byte, i) => (i === 3 ? byte ^ 1 : byte)) })],
]

for (const [what, change] of TAMPERED) {
  test(`an ask with ${what} changed does not open`, () => {
    assert.throws(() => openAsk(change(sealed().ask), box, party), { code: 'BAD_SEAL' })
  })
}

test('an ask opens for the peer it came from, on its network and connection, and for its provider alone', () => {
  const { ask } = sealed()
  assert.throws(() => openAsk(ask, box, { ...party, consumer: randomBytes(32) }), { code: 'BAD_SEAL' })
  assert.throws(() => openAsk(ask, box, { ...party, network: randomBytes(32) }), { code: 'BAD_SEAL' })
  assert.throws(() => openAsk(ask, boxKeyPair(), party), { code: 'BAD_SEAL' })
  assert.throws(() => openAsk(ask, box, { ...party, session: randomBytes(64) }), { code: 'BAD_SEAL' })
})

test('a frame opens at its place only: sequence, index and kind are part of the seal', () => {
  const { ask, response } = sealed()
  const provider = openAsk(ask, box, party).response
  const bytes = provider.seal(endingMessage, { stopText: null }, 'done', 0, 3)
  assert.throws(() => response.open(endingMessage, bytes, 'done', 0, 4), { code: 'BAD_SEAL' })
  assert.throws(() => response.open(endingMessage, bytes, 'done', 1, 3), { code: 'BAD_SEAL' })
  assert.throws(() => response.open(endingMessage, bytes, 'tokens', 0, 3), { code: 'BAD_SEAL' })
  assert.throws(() => response.open(endingMessage, bytes.subarray(0, 5), 'done', 0, 3), { code: 'BAD_SEAL' })
  assert.deepEqual(response.open(endingMessage, bytes, 'done', 0, 3), { stopText: null })
})

test('the same frame sealed at two places has no bytes in common', () => {
  const cipher = new FrameCipher(randomBytes(32))
  const outs = [0, 1].map((sequence) => {
    const out = b4a.alloc(8 + 16)
    cipher.seal(out, b4a.from('the same'), b4a.alloc(0), sequence)
    return b4a.toString(out, 'hex')
  })
  assert.notEqual(outs[0], outs[1])
})

test('request and response never share a key, and sequence numbers beyond a byte make other nonces', () => {
  const key = randomBytes(32)
  assert.notDeepEqual(subkey(key, 'swarmd/1/request'), subkey(key, 'swarmd/1/response'))
  const cipher = new FrameCipher(key)
  const seen = new Set<string>()
  for (const sequence of [0, 255, 256, 65_535, 65_536, 2 ** 24, 2 ** 32 - 1]) {
    const out = b4a.alloc(16)
    cipher.seal(out, b4a.alloc(0), b4a.alloc(0), sequence)
    seen.add(b4a.toString(out, 'hex'))
  }
  assert.equal(seen.size, 7)
})

test('a signature holds for its own domain, network and bytes only', () => {
  const pair = signingKeyPair(new Uint8Array(32).fill(9))
  const signature = sign(pair.secretKey, 'swarmd/1/offer', NETWORK, b4a.from('x'))
  assert.equal(verify(signature, pair.publicKey, 'swarmd/1/offer', NETWORK, b4a.from('x')), true)
  assert.equal(verify(signature, pair.publicKey, 'swarmd/1/offer', NETWORK, b4a.from('y')), false)
  assert.equal(verify(signature, pair.publicKey, 'swarmd/1/offer-id', NETWORK, b4a.from('x')), false)
  assert.equal(verify(signature, signingKeyPair().publicKey, 'swarmd/1/offer', NETWORK, b4a.from('x')), false)
})

test('hashes of these domains are pinned: topics must be the same on every machine', () => {
  const root = new Uint8Array(32).fill(2)
  assert.equal(
    b4a.toString(hash('swarmd/1/model', NETWORK, root), 'hex'),
    'b53fa326b92d1e2aac4e631850a126cdeae12056650e820beecb7311bb2e8c7b',
  )
  assert.equal(
    b4a.toString(hash('swarmd/1/lobby', NETWORK), 'hex'),
    '6705c586f342d10fa78d15d4f8ece7ce1ecd3f112839b98a5ff649a05933066c',
  )
})

test('a content key sealed twice looks different and opens the same', () => {
  const key = randomBytes(32)
  const [one, two] = [sealKey(key, box.publicKey), sealKey(key, box.publicKey)]
  assert.notDeepEqual(one, two)
  assert.deepEqual(openKey(one, box), key)
  assert.deepEqual(openKey(two, box), key)
})

test('a body over its limit is refused by the side that would send it', () => {
  const head = sealed().ask
  const body = textBody('x'.repeat(bodyMessage.maxBytes))
  assert.throws(() => sealAsk(head, body, askKeys(box.publicKey), party), { code: 'OUT_OF_BOUNDS' })
  assert.deepEqual(decode(bodyMessage, encode(bodyMessage, textBody('y'))), textBody('y'))
})
