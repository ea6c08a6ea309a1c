/**
 * What the record of a request costs its stream: the same asks between the same two swarm nodes, once with a ledger on
 * both sides (free, and paid) and once without, taking turns in one process.
 */
import { loadavg } from 'node:os'
import type { Bench, BenchContext, Figure } from './figure.js'
import { percentile } from './figure.js'
import { openStage } from './record-stage.js'
import type { Stage, Way } from './record-stage.js'

const WARM_UP = 20
const SAMPLES = 300
/** Long enough that the two ends of an answer do not count. */
const TOKENS = 4000
const ROUNDS = 9
/** As a good machine decodes; a voucher each 32 tokens. */
const PACE = 200
const PACED_TOKENS = 160
const PACED_ROUNDS = 3

export const bench: Bench = {
  name: 'record',
  about: 'what signing and recording add to the first token and to each token of a stream',
  async run(context): Promise<readonly Figure[]> {
    const stage = await openStage()
    try {
      return [...(await first(stage, context)), ...(await each(stage, context)), await gaps(stage, context)]
    } finally {
      await stage.close()
    }
  },
}

const WAYS: readonly Way[] = ['bare', 'free', 'paid']

/** What one leaves behind for the next falls on each of them alike. */
function turns(round: number): readonly Way[] {
  const first = ((round % WAYS.length) + WAYS.length) % WAYS.length
  return [...WAYS.slice(first), ...WAYS.slice(0, first)]
}

async function first({ ask, settled }: Stage, { note }: BenchContext): Promise<readonly Figure[]> {
  const samples: Record<Way, number[]> = { bare: [], free: [], paid: [] }
  for (let sample = -WARM_UP; sample < SAMPLES; sample++) {
    for (const way of turns(sample)) {
      const begun = performance.now()
      let firstMs: number | null = null
      for await (const event of ask(way, 2)) if (event.type === 'tokens') firstMs ??= performance.now() - begun
      if (sample >= 0 && firstMs !== null) samples[way].push(firstMs)
      // The record is made beside the answer; the next sample does not wait in its shadow.
      await settled()
    }
  }
  const at = (way: Way, rank: number): number => percentile(samples[way], rank)
  for (const way of WAYS) {
    const [best, middle, worst] = [0.1, 0.5, 0.99].map((rank) => at(way, rank).toFixed(2))
    note(`${way}: first token after ${best} ms at p10, ${middle} ms at p50, ${worst} ms at p99`)
  }
  note(`load ${loadavg()[0]?.toFixed(1) ?? '?'}`)
  const added = (way: Way, to: Way): number => at(way, 0.5) - at(to, 0.5)
  return [
    { figure: 'record.ttft.free', value: added('free', 'bare'), unit: 'ms', goal: 1, better: 'lower' },
    // What payment adds to an answer that is recorded anyway; then both together.
    { figure: 'record.ttft.paid', value: added('paid', 'free'), unit: 'ms', goal: 1, better: 'lower' },
    { figure: 'record.ttft.whole', value: added('paid', 'bare'), unit: 'ms', goal: null, better: 'lower' },
  ]
}

/** Processor time of both sides together. The goal is 1 % of a token at 1,000 tokens a second. */
async function each({ ask, settled }: Stage, { note }: BenchContext): Promise<readonly Figure[]> {
  const samples: Record<Way, number[]> = { bare: [], free: [], paid: [] }
  for (let round = -1; round < ROUNDS; round++) {
    for (const way of turns(round)) {
      const begun = process.cpuUsage()
      let tokens = 0
      for await (const event of ask(way, TOKENS)) if (event.type === 'tokens') tokens += event.tokens.length
      const { user, system } = process.cpuUsage(begun)
      if (tokens !== TOKENS) throw new Error(`${tokens} of ${TOKENS} tokens came`)
      if (round >= 0) samples[way].push((user + system) / 1000 / TOKENS)
      await settled()
    }
  }
  const at = (way: Way): number => percentile(samples[way], 0.5)
  note(`a token costs ${(at('bare') * 1000).toFixed(1)} µs of processor time without a ledger, both sides together`)
  return [
    { figure: 'record.token.free', value: at('free') - at('bare'), unit: 'ms', goal: 0.01, better: 'lower' },
    { figure: 'record.token.paid', value: at('paid') - at('bare'), unit: 'ms', goal: 0.05, better: 'lower' },
  ]
}

/** Between tokens of a stream at a usual pace: what vouchers do to its rhythm. */
async function gaps({ ask, pace, settled }: Stage, { note }: BenchContext): Promise<Figure> {
  const samples: Record<Way, number[]> = { bare: [], free: [], paid: [] }
  await pace(PACE)
  for (let round = 0; round < PACED_ROUNDS; round++) {
    for (const way of turns(round)) {
      let before: number | null = null
      for await (const event of ask(way, PACED_TOKENS)) {
        if (event.type !== 'tokens') continue
        const now = performance.now()
        if (before !== null) samples[way].push(now - before)
        before = now
      }
      await settled()
    }
  }
  const at = (way: Way, rank: number): string => percentile(samples[way], rank).toFixed(2)
  for (const way of WAYS) note(`${way}: ${at(way, 0.5)} ms from token to token at p50, ${at(way, 0.99)} ms at p99`)
  const value = percentile(samples.paid, 0.5) - percentile(samples.bare, 0.5)
  return { figure: 'record.gap.paid', value, unit: 'ms', goal: 0.1, better: 'lower' }
}
