/** Orders of both sides over the embedded chain: what is refused, and what is left after any crash. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import b4a from 'b4a'
import { ORDER_PHASE } from '../../ledger/chain/layout/accounts.js'
import { lamports, microLamports, NO_COST } from '../../ledger/amount.js'
import { signRaw } from '../../ledger/crypto.js'
import { newOrderSalt } from '../../ledger/order.js'
import { randomBytes, signKeyPair } from '../../daemon/crypto.js'
import {
  answerOf,
  askWith,
  attemptAt,
  begun,
  CEILING,
  DURABLE,
  orderScene,
  SIGNATURE,
  SOL,
} from '../helpers/order-scene.js'

const COST = 123_000_001n
const PAID = 124n

test('an answered order is claimed by its provider and taken back by its payer, to the lamport', async (t) => {
  const { payer, provider, orders } = await orderScene(t)
  const before = provider.balance()
  const { means, taken } = await begun(payer, provider)
  const spent = means.spent?.(microLamports(COST)) ?? assert.fail()
  assert.equal(orders()[0]?.phase, ORDER_PHASE.locked)
  assert.equal(taken.bill('request', microLamports(COST), microLamports(COST)), COST)
  await taken.issued?.(answerOf(COST))
  await provider.desk.run()
  assert.equal(orders()[0]?.phase, ORDER_PHASE.claimed)
  means.release('request')
  await payer.purse.run()
  assert.deepEqual(orders(), [])
  assert.equal(await spent, PAID * 1_000_000n)
  assert.equal(payer.balance(), SOL - PAID - 2n * SIGNATURE)
  assert.equal(provider.balance() - before, PAID - PAID / 10n - 2n * SIGNATURE)
  assert.deepEqual([provider.book.claims(), payer.failures, provider.failures], [[], [], []])
})

test('an order that nobody answers comes back whole after its deadline, and is not asked for after that', async (t) => {
  const { payer, provider, orders, wait } = await orderScene(t)
  const means = await payer.purse.means(attemptAt(provider, 'x', { deadlineSeconds: 60 }))
  await means.payment(CEILING, DURABLE)
  const spent = means.spent?.(NO_COST) ?? assert.fail()
  means.release('request')
  await payer.purse.run()
  assert.equal(orders().length, 1, 'the chain keeps it until the deadline')
  assert.equal(payer.purse.isOut, true)
  wait(63)
  await payer.purse.run()
  assert.deepEqual(orders(), [])
  assert.equal(await spent, 0n)
  assert.equal(payer.balance(), SOL - 2n * SIGNATURE)
  await payer.purse.run()
  assert.equal(payer.purse.isOut, false)
})

test('a payer that crashed between opening and asking has everything back after the deadline', async (t) => {
  const { payer, provider, orders, wait } = await orderScene(t)
  const means = await payer.purse.means(attemptAt(provider))
  await means.payment(CEILING, DURABLE)
  const again = await payer.killed()
  assert.equal(again.purse.isOut, true, 'the journal says that something is out')
  wait(603)
  await again.purse.run()
  assert.deepEqual(orders(), [])
  assert.equal(again.balance(), SOL - 2n * SIGNATURE)
})

test('a payer that crashed before its order was confirmed looks after it as well', async (t) => {
  const { payer, provider, orders, wait } = await orderScene(t)
  const { tick } = payer.link.outbox
  const attempt = attemptAt(provider)
  const means = await payer.purse.means(attempt)
  // The process dies when the transaction is signed and on the disk.
  payer.link.outbox.tick = () => Promise.reject(new Error('killed'))
  await assert.rejects(means.payment(CEILING, DURABLE), { message: 'killed' })
  payer.link.outbox.tick = tick
  const again = await payer.killed()
  assert.equal(again.purse.isOut, true)
  await again.purse.run()
  assert.equal(orders().length, 1, 'what was prepared is sent')
  wait(603)
  await again.purse.run()
  assert.deepEqual(orders(), [])
  assert.equal(again.balance(), SOL - 2n * SIGNATURE)
})

test('a provider that crashed between answering and claiming claims after its start', async (t) => {
  const { payer, provider, orders } = await orderScene(t)
  const { taken } = await begun(payer, provider)
  // The claim is on the disk with the receipt; nothing of it has reached the chain.
  provider.link.outbox.tick = () => Promise.reject(new Error('killed'))
  await taken.issued?.(answerOf(COST))
  await provider.desk.run()
  const again = await provider.killed()
  assert.equal(orders()[0]?.phase, ORDER_PHASE.locked)
  assert.equal(again.desk.isOwed, true)
  await again.desk.run()
  assert.deepEqual([orders()[0]?.phase, orders()[0]?.cost], [ORDER_PHASE.claimed, PAID])
  await payer.purse.run()
  assert.equal(payer.balance(), SOL - PAID - 2n * SIGNATURE)
  assert.deepEqual(again.told, [])
})

test('a provider that crashed between lock and answer claims nothing, and the payer has all of it back at once', async (t) => {
  const { payer, provider, orders } = await orderScene(t)
  await begun(payer, provider)
  const again = await provider.killed()
  await again.desk.run()
  assert.deepEqual([orders()[0]?.phase, orders()[0]?.cost], [ORDER_PHASE.claimed, 0n])
  await payer.purse.run()
  assert.equal(payer.balance(), SOL - 2n * SIGNATURE)
})

test('a chain that cannot be asked at the start is asked again', async (t) => {
  const { payer, provider, orders } = await orderScene(t)
  await begun(payer, provider)
  const again = await provider.killed()
  const { tick } = again.link.outbox
  again.link.outbox.tick = () => Promise.reject(new Error('away'))
  await again.desk.run()
  assert.deepEqual([again.desk.isSwept, again.failures.length], [false, 1])
  again.link.outbox.tick = tick
  await again.desk.run()
  assert.equal(again.desk.isSwept, true)
  assert.equal(orders()[0]?.phase, ORDER_PHASE.claimed)
})

test('an answer that failed before its first token claims nothing', async (t) => {
  const { payer, provider, orders } = await orderScene(t)
  const { taken } = await begun(payer, provider)
  taken.release('request', NO_COST)
  // What is written down next to the release is claimed in the next turn.
  while (!provider.desk.isOwed && orders()[0]?.phase === ORDER_PHASE.locked) await new Promise(setImmediate)
  await provider.desk.run()
  await payer.purse.run()
  assert.deepEqual(orders(), [])
  assert.equal(payer.balance(), SOL - 2n * SIGNATURE)
})

test('an answer that could not be claimed in time is told, and the payer has the order back', async (t) => {
  const { payer, provider, orders, wait } = await orderScene(t)
  const { taken } = await begun(payer, provider)
  wait(700)
  await taken.issued?.(answerOf(COST))
  await provider.desk.run()
  assert.match(provider.told.join(), /could not be claimed.*124 lamports/)
  await payer.purse.run()
  assert.deepEqual(orders(), [])
  assert.equal(payer.balance(), SOL - 2n * SIGNATURE)
})

test('nothing further is delivered when the claim could come too late', async (t) => {
  const { payer, provider, wait } = await orderScene(t)
  const { taken } = await begun(payer, provider)
  assert.equal(taken.headroom('request'), CEILING)
  taken.deliver('request', microLamports(1_000_000n))
  assert.equal(taken.headroom('request'), CEILING - 1_000_000n)
  wait(581)
  assert.equal(taken.headroom('request'), 0n)
  await assert.rejects(taken.payment(new AbortController().signal, 1000), { message: /deadline/ })
})

test('two providers are allowed and the first is lost: the second takes the same order', async (t) => {
  const { payer, provider, anotherProvider, orders } = await orderScene(t)
  const second = await anotherProvider()
  const wishes = { allowed: [provider.node.publicKey, second.node.publicKey] }
  const first = await payer.purse.means(attemptAt(provider, 'same', wishes))
  await first.payment(CEILING, DURABLE)
  const given = first.spent?.(NO_COST) ?? assert.fail()
  // Gone before it has locked.
  first.lost()
  first.release('request')
  const attempt = attemptAt(second, 'same', wishes)
  const next = await payer.purse.means(attempt)
  const payment = await next.payment(CEILING, DURABLE)
  assert.equal(orders().length, 1, 'no second order is opened')
  assert.deepEqual(b4a.toString(next.id, 'hex'), b4a.toString(first.id, 'hex'))
  assert.equal(await given, 0n, 'the first attempt has cost nothing')
  const taken = await second.desk.take(...askWith(attempt, payment))
  taken.reserve('request', { limit: CEILING, window: NO_COST, ahead: NO_COST })
  await taken.payment(new AbortController().signal, 10_000)
  await taken.issued?.(answerOf(COST))
  await second.desk.run()
  assert.equal(orders()[0]?.provider.toBase58(), second.link.client.provider)
  next.release('request')
  await payer.purse.run()
  assert.equal(payer.balance(), SOL - PAID - 2n * SIGNATURE)
})

test('an order that somebody has taken, or that is too small or too old, is not asked with again', async (t) => {
  const { payer, provider, orders, wait } = await orderScene(t)
  const { means, taken } = await begun(payer, provider, 'same')
  means.release('request')
  const again = await payer.purse.means(attemptAt(provider, 'same'))
  await again.payment(CEILING, DURABLE)
  assert.equal(orders().length, 2, 'the first one is locked')
  again.release('request')
  const dearer = await payer.purse.means(attemptAt(provider, 'same'))
  await dearer.payment(microLamports(2n * CEILING), DURABLE)
  assert.equal(orders().length, 3, 'the second one holds too little')
  dearer.release('request')
  wait(560)
  await (await payer.purse.means(attemptAt(provider, 'same'))).payment(CEILING, DURABLE)
  assert.equal(orders().length, 4, 'the third one ends soon')
  assert.equal(taken.headroom('request') > 0n, true)
})

test('orders that cannot be enforced are refused before anything is locked', async (t) => {
  const { payer, provider, anotherProvider, orders, wait } = await orderScene(t)
  const stranger = await anotherProvider()
  const attempt = attemptAt(provider, 'mine')
  const means = await payer.purse.means(attempt)
  const payment = await means.payment(CEILING, DURABLE)
  assert.ok(payment.kind === 'order')
  const [ask, shown] = askWith(attempt, payment)
  const refused = (message: RegExp): { readonly code: string; readonly message: RegExp } => ({
    code: 'PAYMENT_REQUIRED',
    message,
  })
  const thief = signKeyPair(randomBytes(32))
  const stolen = { ...payment, prove: (claim: Uint8Array) => signRaw(thief.secretKey, claim) }
  await assert.rejects(provider.desk.take(...askWith(attempt, stolen)), refused(/payer/))
  await assert.rejects(provider.desk.take(ask, { ...shown, claim: randomBytes(32) }), refused(/payer/))
  await assert.rejects(provider.desk.take(ask, { ...shown, order: randomBytes(32) }), refused(/no such order/))
  await assert.rejects(provider.desk.take(ask, { ...shown, salt: newOrderSalt() }), refused(/another request/))
  const otherModel = { ...ask, offer: { ...ask.offer, modelRoot: randomBytes(32) } }
  await assert.rejects(provider.desk.take(otherModel, shown), refused(/another model/))
  const longer = { ...ask, limits: { ...ask.limits, maxTokens: 101 } }
  await assert.rejects(provider.desk.take(longer, shown), refused(/another request/))
  await assert.rejects(stranger.desk.take(ask, shown), refused(/other providers/))
  await assert.rejects(payer.purse.means(attemptAt(provider, 'x', { minReputation: lamports(1n) })), {
    code: 'NO_MEANS',
    message: /earned/,
  })
  const taken = await provider.desk.take(ask, shown)
  taken.reserve('one', { limit: CEILING, window: NO_COST, ahead: NO_COST })
  const twice = await provider.desk.take(ask, shown)
  assert.throws(() => twice.reserve('two', { limit: CEILING, window: NO_COST, ahead: NO_COST }), refused(/already/))
  await taken.payment(new AbortController().signal, 10_000)
  await assert.rejects(provider.desk.take(ask, shown), refused(/taken already/))
  const late = attemptAt(provider, 'late', { deadlineSeconds: 60 })
  const soon = await (await payer.purse.means(late)).payment(CEILING, DURABLE)
  wait(20)
  await assert.rejects(provider.desk.take(...askWith(late, soon)), refused(/too soon/))
  assert.equal(orders().filter(({ phase }) => phase === ORDER_PHASE.locked).length, 1)
})

test('a wallet that cannot pay for an order says what it would take', async (t) => {
  const { another, provider } = await orderScene(t)
  const poor = await another(1_000_000n)
  await assert.rejects(poor.purse.means(attemptAt(provider)), {
    code: 'NO_MEANS',
    message: /holds 1000000 lamports.*rent/,
  })
  const unknown = await another()
  await assert.rejects(poor.purse.means(attemptAt(unknown)), { code: 'NO_MEANS', message: /registered/ })
})

test('a provider that claims more than its answer came to is found out', async (t) => {
  const { payer, provider } = await orderScene(t)
  const lies: string[] = []
  const attempt = { ...attemptAt(provider, 'x'), onLie: (what: string) => void lies.push(what) }
  const means = await payer.purse.means(attempt)
  const taken = await provider.desk.take(...askWith(attempt, await means.payment(CEILING, DURABLE)))
  taken.reserve('request', { limit: CEILING, window: NO_COST, ahead: NO_COST })
  await taken.payment(new AbortController().signal, 10_000)
  await taken.issued?.(answerOf(CEILING))
  await provider.desk.run()
  const spent = means.spent?.(NO_COST) ?? assert.fail()
  means.release('request')
  await payer.purse.run()
  assert.equal(await spent, CEILING, 'the budget counts what was really paid')
  assert.match(lies.join(), /claimed/)
})
