/**
 * What settling costs: compute units of every instruction, vouchers that fit into a transaction, lamports a request, and
 * how fast vouchers are signed, checked and made durable. Chain figures come from the built program in LiteSVM.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { lamports } from '../ledger/amount.js'
import { INSTRUCTIONS } from '../ledger/chain/layout/program.js'
import { randomBytes, signingKeyPair } from '../ledger/crypto.js'
import { readProgram } from '../ledger/program/artifacts.js'
import { VoucherStore } from '../ledger/store/vouchers.js'
import { CALLS } from '../test/ledger/program-calls.js'
import { Stage } from '../test/ledger/program-stage.js'
import type { Bench, BenchContext, Figure } from './figure.js'
import { capacity } from './settlement-capacity.js'

const REQUESTS = [1, 10, 1000, 100_000]
const VOUCHERS = 20_480
const CHANNELS = 512
const ROUNDS = 3

export const bench: Bench = {
  name: 'settlement',
  about: 'compute units, vouchers a transaction, lamports a request, vouchers a second',
  async run(context): Promise<readonly Figure[]> {
    const image = await readProgram()
    return [
      ...units(Stage.ready(image)),
      ...(await capacity(context)),
      ...price(Stage.ready(image)),
      ...(await vouchers(context)),
    ]
  },
}

/** Accounts that are created search their bump: 1,500 units for each try, so these differ between addresses. */
function units(stage: Stage): Figure[] {
  const saved = stage.world.save()
  return INSTRUCTIONS.map(({ name }) => {
    const outcome = stage.world.send(...(CALLS[name]?.(stage) ?? []))
    if (outcome.error !== null) throw new Error(`${name}: ${outcome.error}`)
    stage.world.restore(saved)
    return { figure: `units.${name}`, value: outcome.units, unit: 'units', goal: null, better: 'lower' }
  })
}

/** One channel in one transaction, as a provider with one customer settles: both signatures, over the requests it pays. */
function price(stage: Stage): Figure[] {
  stage.must(stage.open())
  const before = stage.world.balance(stage.world.relay)
  stage.must(...stage.settle())
  const cost = Number(before - stage.world.balance(stage.world.relay))
  return REQUESTS.map((requests) => ({
    figure: `settlement.lamports.${requests}`,
    value: cost / requests,
    unit: 'lamports',
    goal: requests === 1000 ? 10 : null,
    better: 'lower',
  }))
}

/**
 * Signed by the payer, checked by the provider, durable on both sides before the next one of the channel: each in its own
 * journal, in one process. The best of some rounds, because others may use the machine; all of them are noted.
 */
async function vouchers({ note }: BenchContext): Promise<Figure[]> {
  const rounds: { readonly rate: number; readonly busy: number }[] = []
  for (let round = 0; round < ROUNDS; round++) rounds.push(await pay())
  const rates = rounds.map(({ rate }) => rate)
  note(
    `${VOUCHERS} vouchers on ${CHANNELS} channels, load ${loadavg()[0]?.toFixed(1) ?? '?'}: ${shown(rates)} a second`,
  )
  const best = { unit: 'per second', goal: 5000, better: 'higher' } as const
  return [
    { figure: 'settlement.vouchers', value: Math.max(...rates), ...best },
    {
      // Of one core, both sides: what 5,000 a second leave room for.
      figure: 'settlement.voucher.cpu',
      value: Math.min(...rounds.map(({ busy }) => busy)),
      unit: 'ms',
      goal: 0.2,
      better: 'lower',
    },
  ]
}

function shown(rates: readonly number[]): string {
  return rates.map((rate) => Math.round(rate)).join(', ')
}

async function pay(): Promise<{ readonly rate: number; readonly busy: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-bench-'))
  const [consumer, provider] = [
    await VoucherStore.open(join(folder, 'consumer')),
    await VoucherStore.open(join(folder, 'provider')),
  ]
  try {
    const { publicKey: signer, secretKey } = signingKeyPair(randomBytes(32))
    const deposit = lamports(BigInt(VOUCHERS))
    const begun = performance.now()
    const computed = process.cpuUsage()
    const one = async (channel: Uint8Array): Promise<void> => {
      for (let cumulative = 1n; cumulative <= BigInt(VOUCHERS / CHANNELS); cumulative++) {
        const voucher = { channel, cumulative: lamports(cumulative), expiresAt: 0n }
        const signed = await consumer.sign(voucher, deposit, secretKey)
        await provider.accept(signed, { channel, signer, deposit, now: 0n })
      }
    }
    await Promise.all(Array.from({ length: CHANNELS }, () => one(randomBytes(32))))
    const seconds = (performance.now() - begun) / 1000
    const { user, system } = process.cpuUsage(computed)
    return { rate: VOUCHERS / seconds, busy: (user + system) / 1000 / VOUCHERS }
  } finally {
    await consumer.close()
    await provider.close()
    await rm(folder, { recursive: true, force: true })
  }
}
