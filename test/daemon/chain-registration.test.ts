/** A provider's entry on the chain, and what goes wrong there: done once, told once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addressOf } from '../../daemon/chain/link.js'
import { mayOffer, Registration } from '../../daemon/chain/registration.js'
import { Trouble } from '../../daemon/chain/trouble.js'
import { randomBytes, signKeyPair } from '../../daemon/crypto.js'
import { FREE, price } from '../../ledger/price.js'
import { chainScene } from '../helpers/chain-scene.js'

test('an entry is made once, corrected when a key has changed, and left alone when it is right', async (t) => {
  const { payer } = await chainScene(t)
  const { client, outbox } = payer.link
  const [first, second, box] = [signKeyPair(randomBytes(32)), signKeyPair(randomBytes(32)), randomBytes(32)]
  const told: string[] = []
  const registrationOf = (keys: typeof first): Registration =>
    new Registration({ client: () => Promise.resolve(client), keys, box: () => box })
  const one = registrationOf(first)
  one.onDone(() => told.push('one'))
  assert.equal(one.done, false)
  await Promise.all([one.run(), one.run()])
  assert.deepEqual(told, ['one'])
  one.onDone(() => told.push('at once'))
  assert.deepEqual(told, ['one', 'at once'])
  assert.equal(outbox.list().length, 1)
  await registrationOf(first).run()
  assert.equal(outbox.list().length, 1)
  await registrationOf(second).run()
  const { account } = (await client.providerAt(client.provider)) ?? assert.fail('it is not there')
  assert.equal(addressOf(account.node), addressOf(second.publicKey))
})

test('a failure is not the end, and nothing is done before it is', async (t) => {
  const { payer } = await chainScene(t)
  let down = true
  const { client } = payer.link
  const reached = (): Promise<typeof client> => (down ? Promise.reject(new Error('away')) : Promise.resolve(client))
  const options = { client: reached, keys: signKeyPair(randomBytes(32)), box: () => randomBytes(32) }
  const registration = new Registration(options)
  await assert.rejects(registration.run(), /away/)
  assert.equal(registration.done, false)
  down = false
  await registration.run()
  assert.equal(registration.done, true)
})

test('what is free is offered at once, what has a price with the entry, or where there is no chain', () => {
  const priced = { ...FREE, output: price(1n) }
  assert.equal(mayOffer(FREE, { done: false }), true)
  assert.equal(mayOffer(priced, { done: false }), false)
  assert.equal(mayOffer(priced, { done: true }), true)
  assert.equal(mayOffer(priced, null), true)
  assert.equal(mayOffer(priced, undefined), true)
})

test('the same trouble is told once while it lasts, and again when it comes back', async () => {
  const told: unknown[] = []
  const trouble = new Trouble((error) => told.push(error))
  const away = Object.assign(new Error('away'), { code: 'RPC_UNREACHABLE' })
  const poor = Object.assign(new Error('poor'), { code: 'INSUFFICIENT_FUNDS' })
  const turn = (...errors: readonly Error[]): Promise<void> =>
    trouble.during(() => {
      for (const error of errors) trouble.failed(error)
      return Promise.resolve()
    })
  await turn(away)
  await turn(away, poor)
  await turn(poor, away)
  assert.deepEqual(told, [away, poor])
  await turn()
  await trouble.during(() => Promise.reject(away))
  assert.deepEqual(told, [away, poor, away])
})
