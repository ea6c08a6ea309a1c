/**
 * A provider in a process of its own, to be killed. Arguments: bootstrap port, network in hex, and
 * a seed in hex for one that comes back under the same key. Tells its parent its key, then when it is in the middle of an answer.
 */
import b4a from 'b4a'
import { boxKeyPair, signingKeyPair } from '../../swarm/crypto.js'
import { SwarmNode } from '../../swarm/node.js'
import type { IncomingAsk } from '../../swarm/port.js'
import { terms } from './loopback-swarm.js'

const [port = '', network = '', seed = ''] = process.argv.slice(2)

async function recite(ask: IncomingAsk): Promise<void> {
  if (ask.body.kind !== 'generate' || ask.body.prompt.kind !== 'text') return ask.refuse('UNSUPPORTED', 'text only')
  const words = ask.body.prompt.text.split(' ')
  for (const [index, word] of words.entries()) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    await ask.tokens({ index, tokens: [index], channel: 'text', text: `${word} `, positions: null })
    if (index === 0) process.send?.('streaming')
  }
  ask.done('stop', null, { prompt: words.length, cached: 0, output: words.length, thought: 0 })
}

const node = new SwarmNode({
  keyPair: signingKeyPair(seed === '' ? undefined : b4a.from(seed, 'hex')),
  boxKeyPair: boxKeyPair(),
  bootstrap: [{ host: '127.0.0.1', port: Number(port) }],
  host: '127.0.0.1',
  network: b4a.from(network, 'hex'),
  invite: null,
  allow: null,
  software: 'mortal/1',
  onAsk: (ask) => void recite(ask),
})
node.serve(terms())
await node.ready()
process.send?.(b4a.toString(node.publicKey, 'hex'))
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
