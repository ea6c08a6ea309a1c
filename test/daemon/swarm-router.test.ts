import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog } from '../../daemon/consumer/catalog.js'
import type { CatalogEntry } from '../../daemon/consumer/catalog.js'
import { ConsumerError } from '../../daemon/consumer/errors.js'
import { SwarmRouter } from '../../daemon/consumer/swarm-router.js'
import { price } from '../../ledger/price.js'
import type { Offer, PeerView, Swarm } from '../../swarm/port.js'
import { offer, PRICES, request } from '../helpers/consumer.js'

interface World {
  readonly router: SwarmRouter
  readonly entry: () => CatalogEntry
  offers: Offer[]
  peers: Pick<PeerView, 'key' | 'since'>[]
  now: number
  pays: boolean
}

function world(offers: Offer[]): World {
  const state: World = {
    offers,
    peers: [],
    now: 1_000_000,
    pays: true,
    router: new SwarmRouter({
      swarm: () => ({ offers: () => state.offers, peers: () => state.peers }) as unknown as Swarm,
      models: { ready: () => [], byRoot: () => null },
      market: () => null,
      payments: () => ({ pays: state.pays, purchases: { ask: () => assert.fail('nobody asks here') } }),
      onLie: () => assert.fail('nobody lies here'),
      now: () => state.now,
      random: () => 0,
    }),
    entry: () => {
      const [entry] = catalog({
        local: [],
        offers: state.offers,
        aliases: {},
        measured: new Map(),
        firstSeen: new Map(),
      })
      assert.ok(entry)
      return entry
    },
  }
  return state
}

const none: ReadonlySet<string> = new Set()

test('a provider that failed twice rests, and is asked at once when it has come back', () => {
  const here = world([offer()])
  for (let i = 0; i < 2; i++) here.router.choose(here.entry(), request(), none)?.note({ type: 'failed' })
  assert.equal(here.router.choose(here.entry(), request(), none), null)
  const refusal = here.router.refusal(here.entry(), request())
  assert.match(refusal.message, /1 × unhealthy/)
  here.peers = [{ key: offer().nodeKey, since: here.now + 1 }]
  assert.ok(here.router.choose(here.entry(), request(), none))
})

test('a connection from before the failure is no proof of health', () => {
  const here = world([offer()])
  here.peers = [{ key: offer().nodeKey, since: here.now - 1 }]
  for (let i = 0; i < 2; i++) here.router.choose(here.entry(), request(), none)?.note({ type: 'failed' })
  assert.equal(here.router.choose(here.entry(), request(), none), null)
})

test('a route knows when its provider has stated a new offer', () => {
  const here = world([offer()])
  const route = here.router.choose(here.entry(), request(), none)
  assert.equal(route?.superseded(), false)
  here.offers = [offer({ id: new Uint8Array(32).fill(9) })]
  assert.equal(route?.superseded(), true)
})

test('when price alone keeps everybody out, the refusal says so', () => {
  const here = world([offer({ prices: { input: price(9n), cached: price(9n), output: price(9n) } })])
  const routing = { ...request().routing, maxPrice: { input: 1n, output: null } }
  assert.equal(here.router.choose(here.entry(), request({ routing }), none), null)
  assert.equal('code' in here.router.refusal(here.entry(), request({ routing })), true)
  assert.match(here.router.refusal(here.entry(), request({ routing })).message, /price ceiling/)
})

test('when everybody is busy, the refusal says so and when the first one is free again', () => {
  const here = world([offer(), offer({ nodeKey: new Uint8Array(32).fill(9) })])
  for (const retryAfterMs of [3000, 2000])
    here.router.choose(here.entry(), request(), none)?.note({ type: 'refused', retryAfterMs })
  assert.equal(here.router.choose(here.entry(), request(), none), null)
  const refusal = here.router.refusal(here.entry(), request())
  assert.ok(refusal instanceof ConsumerError)
  assert.deepEqual([refusal.code, refusal.retryAfterMs], ['BUSY', 2000])
})

test('a prompt longer than any estimate allows is still put to the largest context, which counts exactly', () => {
  const here = world([offer({ contextLength: 10 })])
  const messages = [{ role: 'user' as const, content: 'x'.repeat(10_000) }]
  assert.ok(here.router.choose(here.entry(), request({ prompt: { kind: 'chat', messages } }), none))
})

test('a node without means asks only who works for nothing, and says so when nobody does', () => {
  const dear = offer({ nodeKey: new Uint8Array(32).fill(8), prices: PRICES })
  const here = world([dear, offer({ nodeKey: new Uint8Array(32).fill(9) })])
  here.pays = false
  assert.equal(here.router.choose(here.entry(), request(), none)?.name, '09'.repeat(32))
  here.offers = [dear]
  assert.equal(here.router.choose(here.entry(), request(), none), null)
  const refusal = here.router.refusal(here.entry(), request())
  assert.ok(refusal instanceof ConsumerError)
  assert.equal(refusal.code, 'PAYMENT_REQUIRED')
  assert.match(refusal.message, /--credit/)
  here.pays = true
  assert.ok(here.router.choose(here.entry(), request(), none))
})
