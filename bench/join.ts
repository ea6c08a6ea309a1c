/** A consumer that nobody has seen before: process start, joining, finding the model, first answer. */
import type { Bench, Figure } from './figure.js'
import { median } from './figure.js'
import { firstModel, loopback } from './daemons.js'
import { createClient } from './stream.js'

const RUNS = 5
const DHT_NODES = 10

export const bench: Bench = {
  name: 'join',
  about: 'a new consumer on a DHT of ten nodes: process start to first answer',
  async run({ note }): Promise<readonly Figure[]> {
    const network = await loopback(DHT_NODES)
    try {
      const provider = await network.start('serve', 'mock', '--tokens-per-second', '0')
      const model = await firstModel(provider.url)
      const samples: number[] = []
      for (let run = 0; run < RUNS; run++) {
        const begun = performance.now()
        const consumer = await network.start('up')
        await answered(consumer.url, model)
        samples.push(performance.now() - begun)
        await consumer.stop()
      }
      note(`${RUNS} runs: ${samples.map((ms) => ms.toFixed(0)).join(' ')} ms`)
      return [{ figure: 'join.p50', value: median(samples), unit: 'ms', goal: 1000, better: 'lower' }]
    } finally {
      await network.close()
    }
  },
}

/** Asks again, as an SDK would, as long as the node says that it is still joining. */
async function answered(url: string, model: string): Promise<void> {
  const client = createClient(url)
  try {
    for (const deadline = performance.now() + 30_000; performance.now() < deadline;) {
      const body = { model, max_tokens: 1, messages: [{ role: 'user', content: 'Hello' }] }
      if ((await client.post('/v1/chat/completions', body)) === 200) return
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  } finally {
    client.close()
  }
  throw new Error('no answer within 30 s')
}
