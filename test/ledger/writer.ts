/** A process that appends until it is killed: prints `position id` for each append that was acknowledged. */
import { newContentKey, sealContent } from '../../ledger/content.js'
import { randomBytes } from '../../ledger/crypto.js'
import { LedgerStore } from '../../ledger/store/store.js'
import { complete, countersign } from '../../ledger/receipt.js'
import { CONSUMER, draft, filled, PROVIDER, seenOf } from './sample.js'

const [, , folder = ''] = process.argv
const store = await LedgerStore.open(folder, filled(32, 42))

async function one(): Promise<void> {
  const id = randomBytes(16)
  const key = newContentKey()
  const plain = { request: Buffer.from('a question of nobody else'), response: Buffer.from('an answer of nobody else') }
  const { ciphertext, request, response, body } = sealContent(key, id, plain)
  const statement = draft(0, { id, request, response: { ...response, tokenRoot: filled(32, 1) }, body })
  const receipt = await store.issue(statement, PROVIDER.secretKey)
  const both = countersign(receipt, seenOf(statement), CONSUMER.secretKey)
  const transaction = complete(receipt, both.consumerSignature ?? filled(64, 0))
  const position = await store.append({ role: 'provider', times: statement.times, transaction, ciphertext })
  process.stdout.write(`${position} ${Buffer.from(id).toString('hex')}\n`)
}

async function loop(): Promise<never> {
  for (;;) await one()
}

await Promise.all(Array.from({ length: 8 }, loop))
