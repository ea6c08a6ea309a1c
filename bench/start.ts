/** How long after process start the local API answers; a bare Node takes turns, because it is part of that. */
import { spawnSync } from 'node:child_process'
import type { Bench, Figure } from './figure.js'
import { median, percentile } from './figure.js'
import { loopback } from './daemons.js'

const RUNS = 10

export const bench: Bench = {
  name: 'start',
  about: 'process start to the first answer of the local API',
  async run({ note }): Promise<readonly Figure[]> {
    const network = await loopback()
    try {
      const samples: number[] = []
      const bare: number[] = []
      for (let run = 0; run < RUNS; run++) {
        const before = performance.now()
        spawnSync(process.execPath, ['-e', '0'])
        const begun = performance.now()
        bare.push(begun - before)
        const daemon = await network.start('up')
        const response = await fetch(`${daemon.url}/health`)
        await response.arrayBuffer()
        samples.push(performance.now() - begun)
        await daemon.stop()
      }
      const shown = samples.map((ms) => ms.toFixed(0)).join(' ')
      note(
        `${RUNS} runs, ${shown} ms, p90 ${percentile(samples, 0.9).toFixed(0)}; Node alone ${median(bare).toFixed(0)} ms`,
      )
      return [{ figure: 'start.p50', value: median(samples), unit: 'ms', goal: 300, better: 'lower' }]
    } finally {
      await network.close()
    }
  },
}
