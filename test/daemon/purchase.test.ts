import assert from 'node:assert/strict'
import { test } from 'node:test'
import { microLamports, NO_COST, NO_LAMPORTS } from '../../ledger/amount.js'
import { boxKeyPair, randomBytes, signingKeyPair } from '../../ledger/crypto.js'
import { LedgerError } from '../../ledger/errors.js'
import { price } from '../../ledger/price.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { Books } from '../../daemon/payment/books.js'
import type { OutgoingMeans } from '../../daemon/payment/means.js'
import { Purchases } from '../../daemon/payment/purchase.js'
import { SwarmError } from '../../swarm/errors.js'
import type { AnswerEvent, Swarm } from '../../swarm/port.js'
import { textBody } from '../helpers/loopback-swarm.js'
import { offer } from '../helpers/offers.js'

const PRICES = { input: price(1n), cached: price(1n), output: price(1n) }

/** Means whose room is taken by somebody else, `taken` times, between the look at it and the reservation. */
function scene(taken: number, asked: () => void): { readonly answer: Promise<unknown>; readonly looks: () => number } {
  let [looks, left] = [0, taken]
  const means: OutgoingMeans = {
    id: randomBytes(32),
    left: microLamports(1_000_000n),
    accrued: NO_COST,
    paid: NO_LAMPORTS,
    payment: () =>
      Promise.resolve({ kind: 'channel', channel: randomBytes(32), voucher: null, prove: () => randomBytes(64) }),
    reserve() {
      if (left-- > 0) throw LedgerError.CHANNEL_EXHAUSTED(2n, 1n)
    },
    agree: () => undefined,
    deliver: () => undefined,
    release: () => undefined,
    lost: () => undefined,
  }
  const swarm: Pick<Swarm, 'ask' | 'countersign'> = {
    async *ask(): AsyncGenerator<AnswerEvent> {
      asked()
      await Promise.resolve()
      throw SwarmError.CANCELLED('enough was seen')
    },
    countersign: () => true,
  }
  const purchases = new Purchases({
    books: new Books(() => Promise.resolve({} as unknown as LedgerStore), assert.fail),
    purse: { doubt: () => undefined },
    payer: { means: () => (looks++, Promise.resolve(means)) },
    budget: {
      left: () => null,
      reserve: () => ({ durable: () => Promise.resolve(), settle: () => undefined, release: () => undefined }),
    },
    network: randomBytes(32),
    keys: signingKeyPair(randomBytes(32)),
    box: boxKeyPair(randomBytes(32)).publicKey,
    now: Date.now,
  })
  const events = purchases.ask({
    id: randomBytes(16),
    swarm,
    offer: offer(1, { prices: PRICES, boxKey: boxKeyPair(randomBytes(32)).publicKey }),
    body: textBody('2 + 2?'),
    limits: { maxTokens: 4, maxCost: null, deadlineMs: 1000 },
    caller: null,
    signal: new AbortController().signal,
    onLie: assert.fail,
  })
  return { answer: events.next(), looks: () => looks }
}

test('where a parallel request took the room of a channel, it is looked at again, once, before anything is asked', async () => {
  let asks = 0
  const lucky = scene(1, () => asks++)
  await assert.rejects(lucky.answer, { code: 'CANCELLED' })
  assert.deepEqual([lucky.looks(), asks], [2, 1])

  const unlucky = scene(2, () => asks++)
  await assert.rejects(unlucky.answer, { code: 'CHANNEL_EXHAUSTED' })
  assert.deepEqual([unlucky.looks(), asks], [2, 1])
})
