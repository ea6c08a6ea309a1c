import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askOf, collect, echo, loopbackSwarm, offerAt, terms, textBody } from '../helpers/loopback-swarm.js'

test('a consumer finds a provider by the model root and gets its answer', async () => {
  const swarm = await loopbackSwarm()
  try {
    const provider = swarm.provider((ask) => void echo(ask))
    await provider.ready()
    provider.serve(terms())
    const consumer = swarm.consumer()
    await consumer.ready()
    await consumer.lookup(terms().modelRoot)
    const offer = await offerAt(consumer)
    const { text, events } = await collect(consumer.ask(askOf(offer, textBody('hello big world'))))
    assert.equal(text, 'hello big world ')
    assert.equal(events.at(0)?.type, 'accepted')
    assert.equal(events.at(-1)?.type, 'done')
  } finally {
    await swarm.close()
  }
})
