/** Providers known by their keys alone: dialled together, a few at a time, and never in vain for long. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import { meet, soon } from '../../daemon/consumer/meeting.js'
import type { Listing } from '../../daemon/chain/listings.js'
import { FREE } from '../../ledger/price.js'
import type { Offer } from '../../swarm/port.js'
import { offer, ROOT } from '../helpers/consumer.js'

const never = new AbortController().signal
const entry = (count: number) => ({ root: b4a.toString(ROOT, 'hex'), listings: Array.from({ length: count }, listing) })

function listing(_: unknown, index: number): Listing {
  const none = { settled: 0n, settlements: 0n, channelsOpened: 0n, channelsClosed: 0n }
  return {
    nodeKey: new Uint8Array(32).fill(index),
    modelRoot: ROOT,
    prices: FREE,
    contextLength: 1,
    features: [],
    updatedAt: 0,
    standing: { registeredAt: 0, ordersClaimed: 0n, ordersRefunded: 0n, ...none },
  }
}

interface Dialled {
  readonly dialled: number[]
  offers(): readonly Offer[]
  meet(key: Uint8Array): Promise<void>
  lookup(): Promise<void>
}

/** Node `there` answers and offers the model; nobody else does. */
function swarm(there: number | null): Dialled {
  const dialled: number[] = []
  const known: Offer[] = [offer({ modelRoot: new Uint8Array(32).fill(99) })]
  return {
    dialled,
    offers: () => known,
    meet(key) {
      const [node = -1] = key
      dialled.push(node)
      if (node !== there) return Promise.reject(new Error('PEER_UNREACHABLE'))
      known.push(offer())
      return Promise.resolve()
    },
    lookup: () => Promise.resolve(),
  }
}

test('one that answers is enough, and no more than four are dialled at once', async () => {
  const here = swarm(2)
  await meet(here, entry(9), never)
  assert.deepEqual(here.dialled, [0, 1, 2, 3])
  assert.equal(here.offers().length, 2)
})

test('when nobody answers it ends without an error: what is offered decides', async () => {
  const here = swarm(null)
  await meet(here, entry(2), never)
  assert.equal(here.offers().length, 1)
})

test('one that answers and offers something else is not waited with', async () => {
  const here = swarm(null)
  await meet({ ...here, meet: () => Promise.resolve() }, entry(1), never)
  assert.equal(here.offers().length, 1)
})

test('a chain that fails or is not there holds nobody up', async () => {
  await soon(undefined)
  await soon(Promise.reject(new Error('down')))
})
