/** Transactions as a busy node makes them, for the benches of the ledger. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { microLamports } from '../ledger/amount.js'
import { newContentKey, sealContent, sealContentKey } from '../ledger/content.js'
import type { Content } from '../ledger/content.js'
import { encodeRequest, encodeResponse } from '../ledger/exchange.js'
import { boxKeyPair, randomBytes, signingKeyPair } from '../ledger/crypto.js'
import { cost, price } from '../ledger/price.js'
import type { Statement } from '../ledger/transaction.js'

export type Draft = Omit<Statement, 'counter' | 'previous'>

export const CONSUMER = signingKeyPair(randomBytes(32))
export const PROVIDER = signingKeyPair(randomBytes(32))
const CONSUMER_BOX = boxKeyPair(randomBytes(32))
const PROVIDER_BOX = boxKeyPair(randomBytes(32))
const PRICES = { input: price(20n), cached: price(5n), output: price(60n) }
const USAGE = { input: 180, cached: 40, output: 64 }
const COST = cost(PRICES, USAGE)
const MODELS = Array.from({ length: 8 }, () => randomBytes(32))
const PEERS = Array.from({ length: 200 }, () => randomBytes(32))
const HOUR_MS = 3_600_000

const SAMPLING = {
  temperatureMilli: 700,
  topPMilli: 950,
  minPMilli: 0,
  topK: 40,
  presencePenaltyMilli: 0,
  frequencyPenaltyMilli: 0,
  repeatPenaltyMilli: 1000,
  logitBias: [],
  seed: 1n,
}
const TOKENS = Array.from({ length: USAGE.output }, (_, i) => 1000 + i)

/** A kilobyte asked, a quarter of one answered. */
export const CONTENT: Content = contentOf(0)

function contentOf(n: number): Content {
  const content = `Request ${n}: tell me of ${filler(980)}`
  const prompt = { kind: 'chat', messages: [{ role: 'user', content }] } as const
  const text = `Answer ${n}: ${filler(150)}`
  return {
    request: encodeRequest({ kind: 'generate', prompt, sampling: SAMPLING, stop: [], logprobs: null, resume: [] }, 64),
    response: encodeResponse({ kind: 'generate', finish: 'stop', stopText: null, thought: '', text, tokens: TOKENS }),
  }
}

function filler(characters: number): string {
  return 'fjords, winters and the long way home, '.repeat(characters).slice(0, characters)
}

/** Request `n`: new content key, sealed twice, content encrypted. `providerBox`: whose history can read it. */
export function sealed(
  n: number,
  providerBox: Uint8Array = PROVIDER_BOX.publicKey,
): { readonly statement: Draft; readonly ciphertext: Uint8Array } {
  const id = randomBytes(16)
  const key = newContentKey()
  const { ciphertext, request, response, body } = sealContent(key, id, contentOf(n))
  const statement: Draft = {
    ...varied(n),
    id,
    request,
    response: { ...response, tokenRoot: randomBytes(32) },
    body,
    sealedForConsumer: sealContentKey(key, CONSUMER_BOX.publicKey),
    sealedForProvider: sealContentKey(key, providerBox),
  }
  return { statement, ciphertext }
}

/** The rest of a statement: eight models, 200 consumers, 5,000 requests an hour. */
export function varied(n: number, consumer: Uint8Array = PEERS[n % PEERS.length] ?? PEER): Draft {
  const asked = 1_790_000_000_000 + Math.floor((n * HOUR_MS) / 5000)
  return {
    ...TEMPLATE,
    modelRoot: MODELS[(n * 7) % MODELS.length] ?? PEER,
    consumer,
    channel: consumer,
    cumulative: microLamports(COST * BigInt(n + 1)),
    times: { asked, firstToken: asked + 90, done: asked + 900 },
  }
}

/** A folder on the disk that the system's temporary files lie on, and its removal. */
export async function benchFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'swarmd-bench-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

export async function bytesIn(folder: string): Promise<number> {
  let sum = 0
  for (const name of await readdir(folder, { recursive: true })) {
    const entry = await stat(join(folder, name))
    if (entry.isFile()) sum += entry.size
  }
  return sum
}

const PEER = randomBytes(32)

const TEMPLATE: Draft = {
  id: randomBytes(16),
  kind: 'chat',
  network: randomBytes(32),
  modelRoot: PEER,
  consumer: PEER,
  provider: PROVIDER.publicKey,
  request: { hash: PEER, bytes: CONTENT.request.byteLength },
  response: { hash: PEER, tokenRoot: PEER, bytes: CONTENT.response.byteLength },
  usage: USAGE,
  sampling: { sampler: 'icdf-1', ...SAMPLING },
  finish: 'stop',
  runtime: {
    library: 'node-llama-cpp 3.22.1',
    release: 'b6673',
    backend: 'cpu',
    cpuVariant: 'haswell',
    flashAttention: false,
    kvTypes: 'f16/f16',
    batchSize: 512,
  },
  promptTokensHash: randomBytes(32),
  templateHash: randomBytes(32),
  prices: PRICES,
  cost: COST,
  channel: PEER,
  cumulative: COST,
  times: { asked: 0, firstToken: null, done: 0 },
  sealedForConsumer: { kind: 'sealed', sealed: randomBytes(80) },
  sealedForProvider: { kind: 'sealed', sealed: randomBytes(80) },
  body: { hash: PEER, bytes: 1300 },
}
