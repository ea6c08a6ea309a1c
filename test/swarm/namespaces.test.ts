/** Two homes and a bootstrap node, each a host of its own with a real address, on a network that can be cut. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOSTS, Namespaces, whyNot } from '../helpers/namespaces.js'

const reason = whyNot()
const options = reason === null ? {} : { skip: reason }

test(
  'a home asks another through a bootstrap node, loses it when a cable is pulled, and finds it again',
  options,
  async (t) => {
    const net = new Namespaces()
    t.after(() => net.close())
    const bootstrap = net.run('bootstrap')
    assert.deepEqual(await bootstrap.hear(), { event: 'ready', host: HOSTS.bootstrap, port: 49_737 })
    const provider = net.run('provider')
    assert.equal((await provider.hear())['event'], 'ready')
    const consumer = net.run('consumer')
    const ready = await consumer.hear()
    assert.equal(ready['event'], 'ready')
    assert.equal((ready['nat'] as { reachable: boolean }).reachable, true)

    consumer.say('from one home to another')
    assert.deepEqual(await consumer.hear(), { event: 'first' })
    assert.deepEqual(await consumer.hear(), { event: 'answer', text: 'from one home to another ' })

    consumer.say('word '.repeat(5000).trim())
    assert.deepEqual(await consumer.hear(), { event: 'first' })
    net.cable('provider', 'down')
    assert.deepEqual(await consumer.hear(), { event: 'failed', code: 'PEER_LOST' })

    net.cable('provider', 'up')
    for (let attempt = 0; ; attempt++) {
      consumer.say('there again')
      const heard = await consumer.hear()
      // The first try may still meet the old connection's end; it must be a coded failure, and soon an answer.
      if (heard['event'] === 'failed' && attempt < 10) continue
      assert.deepEqual(heard, { event: 'first' })
      break
    }
    assert.deepEqual(await consumer.hear(), { event: 'answer', text: 'there again ' })
  },
)
