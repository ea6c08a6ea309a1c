import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { startBootstrap } from '../../swarm/bootstrap.js'
import { boxKeyPair, signingKeyPair } from '../../swarm/crypto.js'
import { SwarmNode } from '../../swarm/node.js'
import type { IncomingAsk } from '../../swarm/port.js'
import { NETWORK, askOf, collect, echo, offerAt, terms, textBody } from '../helpers/loopback-swarm.js'

test('one bootstrap node on a free port is enough for a private swarm', async (t) => {
  const bootstrap = await startBootstrap({ host: '127.0.0.1', port: 0 })
  assert.ok(bootstrap.address.port > 0)
  const common = { bootstrap: [bootstrap.address], host: '127.0.0.1', network: NETWORK, invite: null, allow: null }
  const onAsk = (ask: IncomingAsk): void => void echo(ask)
  const provider = new SwarmNode({
    ...common,
    keyPair: signingKeyPair(),
    boxKeyPair: boxKeyPair(),
    software: 'a',
    onAsk,
  })
  const consumer = new SwarmNode({ ...common, keyPair: signingKeyPair(), boxKeyPair: null, software: 'b', onAsk: null })
  t.after(async () => {
    await Promise.all([provider.close(), consumer.close()])
    await bootstrap.close()
  })
  provider.serve(terms())
  await provider.ready()
  await consumer.ready()
  await consumer.lookup(terms().modelRoot)
  const { text } = await collect(consumer.ask(askOf(await offerAt(consumer), textBody('by one node'))))
  assert.equal(text, 'by one node ')
})

test('a bootstrap port that is taken is said to be, and so is a host that is no address', async () => {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await assert.rejects(startBootstrap({ host: '127.0.0.1', port }), { code: 'CANNOT_BIND' })
  socket.close()
  await assert.rejects(startBootstrap({ host: 'not an address', port: 4000 }), { code: 'CANNOT_BIND' })
  await assert.rejects(startBootstrap({ host: '0.0.0.0', port: 4000 }), { code: 'CANNOT_BIND' })
})

test('two bootstrap nodes on one port do not both start', async () => {
  const first = await startBootstrap({ host: '127.0.0.1', port: 0 })
  await assert.rejects(startBootstrap(first.address), { code: 'CANNOT_BIND' })
  await first.close()
})
