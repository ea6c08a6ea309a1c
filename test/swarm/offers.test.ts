import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { boxKeyPair, signingKeyPair } from '../../swarm/crypto.js'
import { MAX_BOOK_PER_NODE, MAX_LIFETIME_MS, MAX_SKEW_MS, OfferBook } from '../../swarm/offers/book.js'
import { LIFETIME_MS, OwnOffers, RENEW_MS } from '../../swarm/offers/own.js'
import { isSigned, readOffer, signOffer } from '../../swarm/offers/signed.js'
import type { SignedOffer } from '../../swarm/offers/signed.js'
import type { Offer } from '../../swarm/port.js'
import { NETWORK, terms } from '../helpers/loopback-swarm.js'

const self = signingKeyPair().publicKey
const box = boxKeyPair()
const START = 1_795_000_000_000

interface Stated {
  readonly node?: ReturnType<typeof signingKeyPair>
  readonly name?: string
  readonly issued?: number
  readonly lifetime?: number
  readonly withdrawn?: boolean
  readonly network?: Uint8Array
}

const somebody = signingKeyPair()

function signed(of: Stated = {}): SignedOffer {
  const issued = of.issued ?? START
  const statement = {
    ...terms(of.name ?? 'parrot'),
    boxKey: box.publicKey,
    issued,
    expires: issued + (of.lifetime ?? 600_000),
    withdrawn: of.withdrawn ?? false,
  }
  return signOffer(statement, of.node ?? somebody, of.network ?? NETWORK)
}

function bookAt(clock: { now: number }, max = 2000, usefulness: (offer: Offer) => number = () => 0): OfferBook {
  return new OfferBook({ network: NETWORK, self, now: () => clock.now, usefulness, max })
}

test('an offer reads back as stated, with an id that its bytes alone decide', () => {
  const one = signed()
  const read = readOffer(one.envelope)
  assert.deepEqual(read.offer, one.offer)
  assert.equal(isSigned(read, NETWORK), true)
  assert.deepEqual(read.offer.modelName, 'parrot')
})

test('an offer with a bit turned anywhere is refused', () => {
  const { envelope } = signed()
  const clock = { now: START }
  for (let i = 0; i < envelope.signed.byteLength; i++) {
    const forged = { ...envelope, signed: envelope.signed.map((byte, at) => (at === i ? byte ^ 1 : byte)) }
    let verdict: string
    try {
      verdict = bookAt(clock).add(forged).verdict
    } catch (error) {
      verdict = error instanceof Error && 'code' in error ? 'unreadable' : 'crashed'
    }
    assert.ok(['forged', 'unreadable', 'expired', 'not-yet', 'too-long'].includes(verdict), `byte ${i}: ${verdict}`)
  }
})

test('an offer of another network is a forgery here', () => {
  assert.equal(bookAt({ now: START }).add(signed({ network: new Uint8Array(32) }).envelope).verdict, 'forged')
})

test('dates decide: not too far ahead, not over, not for too long', () => {
  const at = (now: number, of: Stated): string => bookAt({ now }).add(signed(of).envelope).verdict
  assert.equal(at(START, { issued: START + MAX_SKEW_MS }), 'added')
  assert.equal(at(START, { issued: START + MAX_SKEW_MS + 1 }), 'not-yet')
  assert.equal(at(START + 599_999, {}), 'added')
  assert.equal(at(START + 600_000, {}), 'expired')
  assert.equal(at(START, { lifetime: MAX_LIFETIME_MS }), 'added')
  assert.equal(at(START, { lifetime: MAX_LIFETIME_MS + 1 }), 'too-long')
})

test('the newest offer of a node for a model stands, whatever comes in which order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ issued: fc.nat({ max: 3 }), withdrawn: fc.boolean() }), { maxLength: 8 }),
      (list) => {
        const offers = list.map(({ issued, withdrawn }) => signed({ issued: START + issued, withdrawn }))
        const [one, two] = [bookAt({ now: START + 10 }), bookAt({ now: START + 10 })]
        for (const { envelope } of offers) one.add(envelope)
        for (const { envelope } of [...offers].reverse()) two.add(envelope)
        assert.deepEqual(one.offers(), two.offers())
        const newest = Math.max(...list.map(({ issued }) => issued))
        const [standing] = one.offers()
        if (standing) assert.equal(standing.issued, START + newest)
      },
    ),
  )
})

test('a withdrawn offer is gone, and older gossip does not bring it back', () => {
  const book = bookAt({ now: START + 10 })
  const old = signed({ issued: START })
  book.add(old.envelope)
  book.add(signed({ issued: START + 1, withdrawn: true }).envelope)
  assert.deepEqual(book.offers(), [])
  assert.equal(book.add(old.envelope).verdict, 'older')
  assert.deepEqual(book.offers(), [])
})

test('what has expired is neither offered nor told, and is dropped', () => {
  const clock = { now: START }
  const book = bookAt(clock)
  book.add(signed().envelope)
  clock.now = START + 600_000
  assert.deepEqual([book.offers(), book.envelopes(), book.size], [[], [], 1])
  assert.equal(book.prune(), true)
  assert.deepEqual([book.size, book.providers], [0, 0])
  assert.equal(book.prune(), false)
})

test('one node fills no more than its share of the book', () => {
  const book = bookAt({ now: START })
  for (let i = 0; i < MAX_BOOK_PER_NODE; i++)
    assert.equal(book.add(signed({ name: `m${i}` }).envelope).verdict, 'added')
  assert.equal(book.add(signed({ name: 'one more' }).envelope).verdict, 'crowded')
  assert.equal(book.add(signed({ name: 'm1', issued: START + 1 }).envelope).verdict, 'added')
})

test('a full book keeps what is useful and what lasts', () => {
  const useful = signingKeyPair()
  const book = bookAt({ now: START }, 2, (offer) =>
    offer.nodeKey === useful.publicKey || offer.modelName === 'wanted' ? 1 : 0,
  )
  book.add(signed({ name: 'wanted', lifetime: 10 }).envelope)
  book.add(signed({ name: 'short', lifetime: 10 }).envelope)
  book.add(signed({ name: 'long', lifetime: 1000 }).envelope)
  const names = book.offers().map((offer) => offer.modelName)
  assert.deepEqual(names.sort(), ['long', 'wanted'])
  book.add(signed({ name: 'gone', withdrawn: true, lifetime: 9000 }).envelope)
  assert.equal(book.offers().length, 2)
})

test('a node learns nothing from offers in its own name', () => {
  const me = signingKeyPair()
  const book = new OfferBook({ network: NETWORK, self: me.publicKey, now: () => START, usefulness: () => 0 })
  assert.equal(book.add(signed({ node: me }).envelope).verdict, 'known')
  assert.equal(book.size, 0)
})

function own(clock: { now: number }): OwnOffers {
  return new OwnOffers({ keyPair: somebody, boxKey: box.publicKey, network: NETWORK, now: () => clock.now })
}

test('own offers are renewed at half their life, and the one before is honoured until it ends', () => {
  const clock = { now: START }
  const offers = own(clock)
  const first = offers.state(terms()).offer
  assert.deepEqual(offers.renew(), [])
  clock.now += RENEW_MS
  const [renewed] = offers.renew()
  assert.ok(renewed)
  assert.equal(renewed.offer.expires, clock.now + LIFETIME_MS)
  assert.equal(offers.standing(first.id)?.issued, first.issued)
  clock.now = START + LIFETIME_MS
  assert.equal(offers.standing(first.id), null)
  assert.equal(offers.standing(renewed.offer.id)?.issued, renewed.offer.issued)
})

test('new terms end the old ones at once, and a withdrawal ends all', () => {
  const clock = { now: START }
  const offers = own(clock)
  const old = offers.state(terms()).offer
  const changed = offers.state(terms(undefined, { slots: 9 }))
  assert.equal(offers.standing(old.id), null)
  assert.ok(changed.offer.issued > old.issued, 'a clock that stands still must not make two offers of one date')
  const tombstone = offers.withdraw(terms().modelRoot)
  assert.equal(tombstone?.withdrawn, true)
  assert.equal(offers.standing(changed.offer.id), null)
  assert.deepEqual([offers.size, offers.all(), offers.withdraw(terms().modelRoot)], [0, [], null])
})

test('a statement that does not fit is refused by the side that would sign it', () => {
  assert.throws(() => own({ now: START }).state(terms('x'.repeat(97))), { code: 'OUT_OF_BOUNDS' })
})
