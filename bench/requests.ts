/**
 * What swarmd itself costs: a mock engine that answers at once, through HTTP and the swarm. Two daemons and this client
 * share the machine.
 */
import type { Bench, Figure } from './figure.js'
import { median } from './figure.js'
import { firstModel, loopback } from './daemons.js'
import { createClient } from './stream.js'
import type { Client } from './stream.js'

const WHOLE = 2_000
const CONCURRENCY = 16
const ANSWER_TOKENS = 8
const STREAM_TOKENS = 8_000
const STREAMS = 8
const RUNS = 5

export const bench: Bench = {
  name: 'requests',
  about: 'whole requests and streamed tokens per second with an instant engine',
  async run({ note }): Promise<readonly Figure[]> {
    const network = await loopback()
    try {
      const provider = await network.start('serve', 'mock', '--tokens-per-second', '0', '--slots', '32')
      await firstModel(provider.url)
      const consumer = await network.start('up')
      const model = await firstModel(consumer.url)
      const client = createClient(consumer.url)
      try {
        const body = { model, messages: [{ role: 'user', content: 'Hello' }] }
        await whole(client, { ...body, max_tokens: ANSWER_TOKENS }, 200)
        const rate = await whole(client, { ...body, max_tokens: ANSWER_TOKENS }, WHOLE)
        const one: number[] = []
        const eight: number[] = []
        for (let run = 0; run < RUNS; run++) {
          one.push(await streamed(client, { ...body, max_tokens: STREAM_TOKENS }, 1))
          eight.push(await streamed(client, { ...body, max_tokens: STREAM_TOKENS }, STREAMS))
        }
        const { tokens, events } = await client.stream('/v1/chat/completions', { ...body, max_tokens: STREAM_TOKENS })
        note(
          `${WHOLE} requests of ${ANSWER_TOKENS} tokens at concurrency ${CONCURRENCY}; streams of ${tokens} tokens in ${events} chunks`,
        )
        return [
          { figure: 'requests.whole', value: rate, unit: 'per second', goal: 400, better: 'higher' },
          { figure: 'requests.tokens.one', value: median(one), unit: 'per second', goal: 20_000, better: 'higher' },
          { figure: 'requests.tokens.eight', value: median(eight), unit: 'per second', goal: 40_000, better: 'higher' },
        ]
      } finally {
        client.close()
      }
    } finally {
      await network.close()
    }
  },
}

/** Whole answers a second. */
async function whole(client: Client, body: object, count: number): Promise<number> {
  let left = count
  const begun = performance.now()
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left-- > 0) {
        const status = await client.post('/v1/chat/completions', body)
        if (status !== 200) throw new Error(`HTTP ${status}`)
      }
    }),
  )
  return (count / (performance.now() - begun)) * 1000
}

/** Tokens a second over all streams, from sending to the last end. */
async function streamed(client: Client, body: object, streams: number): Promise<number> {
  const begun = performance.now()
  const answers = await Promise.all(Array.from({ length: streams }, () => client.stream('/v1/chat/completions', body)))
  const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0)
  return (tokens / (performance.now() - begun)) * 1000
}
