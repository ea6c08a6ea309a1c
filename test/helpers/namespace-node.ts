/** One node inside a namespace: `bootstrap`, `provider` or `consumer`. Orders on stdin, one JSON value a line on stdout. */
import { createInterface } from 'node:readline'
import { startBootstrap } from '../../swarm/bootstrap.js'
import { boxKeyPair, signingKeyPair } from '../../swarm/crypto.js'
import { SwarmNode } from '../../swarm/node.js'
import type { IncomingAsk, SwarmOptions } from '../../swarm/port.js'
import { NETWORK, askOf, offerAt, terms, textBody } from './loopback-swarm.js'
import { HOSTS } from './namespaces.js'

const PORT = 49_737

function tell(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

function options(over: Partial<SwarmOptions>): SwarmOptions {
  return {
    keyPair: signingKeyPair(),
    boxKeyPair: null,
    bootstrap: [{ host: HOSTS.bootstrap, port: PORT }],
    host: null,
    network: NETWORK,
    invite: null,
    allow: null,
    software: 'home/1',
    onAsk: null,
    ...over,
  }
}

/** A word every twenty milliseconds, so that there is time to pull a cable. */
async function recite(ask: IncomingAsk): Promise<void> {
  if (ask.body.kind !== 'generate' || ask.body.prompt.kind !== 'text') return ask.refuse('UNSUPPORTED', 'text only')
  const words = ask.body.prompt.text.split(' ')
  for (const [index, word] of words.entries()) {
    if (ask.signal.aborted) return
    await new Promise((resolve) => setTimeout(resolve, 20))
    await ask.tokens({ index, tokens: [index], channel: 'text', text: `${word} `, positions: null })
  }
  ask.done('stop', null, { prompt: words.length, cached: 0, output: words.length, thought: 0 })
}

async function consume(node: SwarmNode, prompt: string): Promise<void> {
  const offer = await offerAt(node)
  let text = ''
  try {
    for await (const event of node.ask(askOf(offer, textBody(prompt)))) {
      if (event.type !== 'tokens') continue
      if (text === '') tell({ event: 'first' })
      text += event.text
    }
    tell({ event: 'answer', text })
  } catch (error) {
    tell({ event: 'failed', code: error instanceof Error && 'code' in error ? error.code : String(error) })
  }
}

const [role] = process.argv.slice(2)
if (role === 'bootstrap') {
  const { address } = await startBootstrap({ host: HOSTS.bootstrap, port: PORT })
  tell({ event: 'ready', ...address })
} else if (role === 'provider') {
  const node = new SwarmNode(options({ boxKeyPair: boxKeyPair(), onAsk: (ask) => void recite(ask) }))
  node.serve(terms())
  await node.ready()
  tell({ event: 'ready', nat: node.nat() })
} else {
  const node = new SwarmNode(options({}))
  await node.ready()
  await node.lookup(terms().modelRoot)
  tell({ event: 'ready', nat: node.nat() })
  for await (const prompt of createInterface(process.stdin)) await consume(node, prompt)
}
