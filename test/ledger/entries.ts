/** Log entries with contents, for stores. */
import { newContentKey, sealContent, sealContentKey } from '../../ledger/content.js'
import { CHAIN_START } from '../../ledger/receipt.js'
import type { ChainHead } from '../../ledger/receipt.js'
import type { NewEntry } from '../../ledger/store/log.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { agreed, CONSUMER_BOX, draft, filled, PROVIDER_BOX } from './sample.js'
import type { Draft } from './sample.js'

/** Countersigned transactions in one chain; the contents say `question n` and `answer n`. */
export function* entries(
  role: NewEntry['role'],
  changes: (n: number) => Partial<Draft> = () => ({}),
): Generator<NewEntry, never> {
  let head: ChainHead = CHAIN_START
  for (let n = 0; ; n++) {
    const key = newContentKey()
    const content = { request: Buffer.from(`question ${n} of nobody else`), response: Buffer.from(`answer ${n}`) }
    const { ciphertext, request, response, body } = sealContent(key, draft(n).id, content)
    const next = agreed(n, head, {
      request,
      response: { ...response, tokenRoot: filled(32, 1) },
      body,
      sealedForConsumer: sealContentKey(key, CONSUMER_BOX.publicKey),
      sealedForProvider: sealContentKey(key, PROVIDER_BOX.publicKey),
      ...changes(n),
    })
    head = next.head
    yield { role, times: next.transaction.statement.times, transaction: next.transaction, ciphertext }
  }
}

/** Appends the next `count`, all at once. */
export async function fill(store: LedgerStore, source: Iterator<NewEntry, never>, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => store.append(source.next().value)))
}
