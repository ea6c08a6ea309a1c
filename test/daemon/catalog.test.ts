import assert from 'node:assert/strict'
import { test } from 'node:test'
import { catalog, nearNames, resolve } from '../../daemon/consumer/catalog.js'
import type { CatalogSources } from '../../daemon/consumer/catalog.js'
import { price } from '../../ledger/price.js'
import { offer } from '../helpers/consumer.js'

function sources(overrides: Partial<CatalogSources> = {}): CatalogSources {
  return { local: [], offers: [], aliases: {}, measured: new Map(), firstSeen: new Map(), ...overrides }
}

const rootA = new Uint8Array(32).fill(0xaa)
const rootB = new Uint8Array(32).fill(0xbb)

test('offers of one root are one model with the lowest price and the largest context', () => {
  const cheap = { input: price(1n), cached: price(1n), output: price(2n) }
  const dear = { input: price(5n), cached: price(5n), output: price(9n) }
  const [entry, ...rest] = catalog(
    sources({ offers: [offer({ prices: dear, contextLength: 8192 }), offer({ prices: cheap })] }),
  )
  assert.equal(rest.length, 0)
  assert.equal(entry?.card.providers, 2)
  assert.deepEqual(entry.card.price, cheap)
  assert.equal(entry.card.contextLength, 8192)
})

test('two roots under one name carry their roots, and the bare name keeps meaning the one in use', () => {
  const offers = [offer({ modelRoot: rootA }), offer({ modelRoot: rootB }), offer({ modelRoot: rootB })]
  const strangers = catalog(sources({ offers }))
  assert.deepEqual(strangers.map((entry) => entry.card.id).sort(), ['tiny:q8_0@aaaaaaaa', 'tiny:q8_0@bbbbbbbb'])
  assert.equal(resolve(strangers, {}, 'tiny:q8_0')?.root, 'bb'.repeat(32))
  const measured = new Map([['aa'.repeat(32), { requests: 3, tokensPerSecond: null, ttftMs: null }]])
  assert.equal(resolve(catalog(sources({ offers, measured })), {}, 'tiny:q8_0')?.root, 'aa'.repeat(32))
})

test('a model is found by id, root, without its quantisation, in any case, by alias and by the catch-all', () => {
  const entries = catalog(sources({ offers: [offer({ modelRoot: rootA })] }))
  const aliases = { 'gpt-4o-mini': 'tiny:q8_0' }
  for (const name of ['tiny:q8_0', 'TINY:Q8_0', 'tiny', 'aa'.repeat(32), 'gpt-4o-mini']) {
    assert.equal(resolve(entries, aliases, name)?.root, 'aa'.repeat(32), name)
  }
  assert.equal(resolve(entries, aliases, 'other'), null)
  assert.equal(resolve(entries, { '*': 'tiny' }, 'other')?.root, 'aa'.repeat(32))
  assert.equal(resolve(entries, {}, 'constructor'), null)
})

test('near names come nearest first and leave strangers out', () => {
  const entries = catalog(
    sources({
      offers: [
        offer({ modelRoot: rootA, modelName: 'smollm2-135m-instruct:q4_1' }),
        offer({ modelRoot: rootB, modelName: 'gemma-3-270m:q4_k_m' }),
      ],
    }),
  )
  assert.deepEqual(nearNames(entries, 'smollm2-135m'), ['smollm2-135m-instruct:q4_1'])
  assert.deepEqual(nearNames(entries, 'zzzzzzzzzzzzzzzz'), [])
})
