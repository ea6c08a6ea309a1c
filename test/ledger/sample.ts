/** Fixed keys and statements for the ledger's tests: every byte is determined, nothing is a real secret. */
import { microLamports } from '../../ledger/amount.js'
import { sealContent } from '../../ledger/content.js'
import type { Content } from '../../ledger/content.js'
import { boxKeyPair, signingKeyPair } from '../../ledger/crypto.js'
import { cost, price } from '../../ledger/price.js'
import { complete, countersign, issueReceipt } from '../../ledger/receipt.js'
import type { ChainHead, Seen } from '../../ledger/receipt.js'
import { CHAIN_START } from '../../ledger/receipt.js'
import { TokenLog } from '../../ledger/token-root.js'
import type { Statement, Transaction } from '../../ledger/transaction.js'

export const CONSUMER = signingKeyPair(filled(32, 1))
export const PROVIDER = signingKeyPair(filled(32, 2))
export const STRANGER = signingKeyPair(filled(32, 3))
export const CONSUMER_BOX = boxKeyPair(filled(32, 4))
export const PROVIDER_BOX = boxKeyPair(filled(32, 5))
export const CONTENT_KEY = filled(32, 6)
export const CHANNEL = filled(32, 7)

export const CONTENT: Content = {
  request: Buffer.from('{"messages":[{"role":"user","content":"What is the capital of Norway?"}]}'),
  response: Buffer.from('{"text":"Oslo."}'),
}

export function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte)
}

/** Positions with eight candidates each, the chosen one first. */
export function tokens(count: number, contentKey: Uint8Array = CONTENT_KEY): TokenLog {
  const log = new TokenLog(contentKey, 8)
  for (let i = 0; i < count; i++) {
    log.push({ token: 100 + i, top: Array.from({ length: 8 }, (_, j) => ({ token: 100 + i + j, logprob: -j / 4 })) })
  }
  return log
}

export type Draft = Omit<Statement, 'counter' | 'previous'>

/** The statement of request `n`: the same each time, another for each `n`. */
export function draft(n = 0, changes: Partial<Draft> = {}): Draft {
  const id = filled(16, 8)
  new DataView(id.buffer).setUint32(0, n)
  const { request, response, body } = sealContent(CONTENT_KEY, id, CONTENT)
  const prices = { input: price(20n), cached: price(5n), output: price(60n) }
  const usage = { input: 12, cached: 4, output: 40 }
  return {
    id,
    kind: 'chat',
    network: filled(32, 9),
    modelRoot: filled(32, 10),
    consumer: CONSUMER.publicKey,
    provider: PROVIDER.publicKey,
    request,
    response: { ...response, tokenRoot: tokens(40).root() },
    usage,
    sampling: {
      sampler: 'icdf-1',
      temperatureMilli: 700,
      topPMilli: 950,
      minPMilli: 0,
      topK: 40,
      presencePenaltyMilli: -250,
      frequencyPenaltyMilli: 0,
      repeatPenaltyMilli: 1100,
      logitBias: [
        [50_256, -100_000],
        [7, 1500],
      ],
      seed: 2n ** 63n + 5n,
    },
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
    promptTokensHash: filled(32, 11),
    templateHash: filled(32, 12),
    prices,
    cost: cost(prices, usage),
    channel: CHANNEL,
    cumulative: microLamports(cost(prices, usage) * BigInt(n + 1)),
    times: { asked: 1_790_000_000_000 + n, firstToken: 1_790_000_000_150 + n, done: 1_790_000_000_900 + n },
    sealedForConsumer: { kind: 'sealed', sealed: filled(80, 13) },
    sealedForProvider: { kind: 'sealed', sealed: filled(80, 14) },
    body,
    ...changes,
  }
}

/** What a consumer knows that saw exactly this. */
export function seenOf(statement: Draft): Seen {
  return { ...statement, cumulativeAtMost: statement.cumulative }
}

/** Receipt, check, countersignature: what a request leaves on both sides. */
export function agreed(
  n = 0,
  head: ChainHead = CHAIN_START,
  changes: Partial<Draft> = {},
): { readonly transaction: Transaction; readonly head: ChainHead } {
  const statement = draft(n, changes)
  const receipt = issueReceipt(statement, head, PROVIDER.secretKey)
  const both = countersign(receipt.transaction, seenOf(statement), CONSUMER.secretKey)
  const signature = both.consumerSignature ?? filled(64, 0)
  return { transaction: complete(receipt.transaction, signature), head: receipt.head }
}
