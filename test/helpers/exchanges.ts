/** A ledger with real contents: what a node leaves after so many requests. */
import { newContentKey, sealContent, sealContentKey } from '../../ledger/content.js'
import { encodeRequest, encodeResponse } from '../../ledger/exchange.js'
import type { ExchangeBody, ExchangeResponse } from '../../ledger/exchange.js'
import { CHAIN_START } from '../../ledger/receipt.js'
import type { ChainHead } from '../../ledger/receipt.js'
import type { NewEntry } from '../../ledger/store/log.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { agreed, draft, filled, PROVIDER_BOX } from '../ledger/sample.js'
import type { Draft } from '../ledger/sample.js'

export interface Said {
  readonly question?: string
  readonly answer?: string
  readonly body?: ExchangeBody
  readonly response?: ExchangeResponse
  readonly role?: NewEntry['role']
  /** The token root; any bytes when not given. */
  readonly root?: (contentKey: Uint8Array) => Uint8Array
  readonly changes?: Partial<Draft>
  /** Of the draft, its id with it; its place in the log by default. */
  readonly n?: number
}

const SAMPLING = {
  temperatureMilli: 700,
  topPMilli: 1000,
  minPMilli: 0,
  topK: 0,
  presencePenaltyMilli: 0,
  frequencyPenaltyMilli: 0,
  repeatPenaltyMilli: 1000,
  logitBias: [],
  seed: 5n,
}

export function chat(content: string, resume: readonly number[] = []): ExchangeBody {
  const prompt = { kind: 'chat', messages: [{ role: 'user', content }] } as const
  return { kind: 'generate', prompt, sampling: SAMPLING, stop: [], logprobs: null, resume }
}

/** Appends one transaction each, in order, sealed to `box` and on the other side to `other`. */
export async function record(
  store: LedgerStore,
  box: Uint8Array,
  all: readonly Said[],
  other: Uint8Array = PROVIDER_BOX.publicKey,
): Promise<void> {
  let head: ChainHead = CHAIN_START
  for (const [i, said] of all.entries()) {
    const n = said.n ?? store.length
    const key = newContentKey()
    const body = said.body ?? chat(said.question ?? `question ${i}`)
    const response = said.response ?? {
      kind: 'generate',
      finish: 'stop',
      stopText: null,
      thought: '',
      text: said.answer ?? `answer ${i}`,
      tokens: [1, 2],
    }
    const content = { request: encodeRequest(body, 64), response: encodeResponse(response) }
    const sealed = sealContent(key, draft(n).id, content)
    const role = said.role ?? 'consumer'
    const ours = sealContentKey(key, box)
    const theirs = sealContentKey(key, other)
    const next = agreed(n, head, {
      request: sealed.request,
      response: { ...sealed.response, tokenRoot: said.root?.(key) ?? filled(32, 1) },
      body: sealed.body,
      sealedForConsumer: role === 'consumer' ? ours : theirs,
      sealedForProvider: role === 'provider' ? ours : theirs,
      ...said.changes,
    })
    head = next.head
    const { transaction } = next
    await store.append({ role, times: transaction.statement.times, transaction, ciphertext: sealed.ciphertext })
  }
}
