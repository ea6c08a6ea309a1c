/** Does a consumer grow? Its resident set while requests pass and providers come and go. */
import type { Bench, Figure } from './figure.js'
import { firstModel, loopback, residentMb } from './daemons.js'
import { createClient } from './stream.js'

const REQUESTS = 10_000
const STEP = 1_000
const CONCURRENCY = 8
const COMINGS = 100

export const bench: Bench = {
  name: 'memory',
  about: 'resident set of a consumer, at rest, over 10,000 requests and 100 providers that come and go',
  async run({ note }): Promise<readonly Figure[]> {
    const network = await loopback()
    try {
      const provider = await network.start('serve', 'mock', '--tokens-per-second', '0', '--slots', '16')
      await firstModel(provider.url)
      const consumer = await network.start('up')
      const model = await firstModel(consumer.url)
      const resident = (): number => {
        const mb = residentMb(consumer.pid)
        if (mb === null) throw new Error('this system has no /proc')
        return mb
      }
      const rest = resident()
      const client = createClient(consumer.url)
      const body = { model, max_tokens: 16, messages: [{ role: 'user', content: 'Hello' }] }
      const curve: number[] = []
      try {
        for (let done = 0; done < REQUESTS; done += STEP) {
          let left = STEP
          await Promise.all(
            Array.from({ length: CONCURRENCY }, async () => {
              while (left-- > 0) {
                const status = await client.post('/v1/chat/completions', body)
                if (status !== 200) throw new Error(`HTTP ${status}`)
              }
            }),
          )
          curve.push(resident())
        }
      } finally {
        client.close()
      }
      note(`MB after each ${STEP} requests: ${curve.map((mb) => mb.toFixed(0)).join(' ')}`)

      const churn: number[] = []
      for (let coming = 1; coming <= COMINGS; coming++) {
        const guest = await network.start('serve', 'mock', '--tokens-per-second', '0')
        await seen(consumer.url, 2)
        await guest.stop()
        if (coming % 10 === 0) churn.push(resident())
      }
      note(`MB after each 10 providers: ${churn.map((mb) => mb.toFixed(0)).join(' ')}`)

      return [
        { figure: 'memory.consumer', value: rest, unit: 'MB', goal: 150, better: 'lower' },
        { figure: 'memory.requests.growth', value: growth(curve.slice(2)), unit: 'ratio', goal: 1.1, better: 'lower' },
        { figure: 'memory.providers.growth', value: growth(churn), unit: 'ratio', goal: 1.1, better: 'lower' },
      ]
    } finally {
      await network.close()
    }
  },
}

/** What stays after collections: the least of the second half against the least of the first. */
function growth(curve: readonly number[]): number {
  const half = curve.length >> 1
  return Math.min(...curve.slice(half)) / Math.min(...curve.slice(0, half))
}

/** Until the consumer counts this many providers, or for five seconds at most: a guest that is late still comes and goes. */
async function seen(url: string, providers: number): Promise<void> {
  for (const deadline = performance.now() + 5_000; performance.now() < deadline;) {
    const response = await fetch(`${url}/v1/models`)
    const { data } = (await response.json()) as { data: readonly { providers?: number }[] }
    if ((data[0]?.providers ?? 0) >= providers) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
