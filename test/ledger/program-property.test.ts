/**
 * Random histories of the program against the model of it. After every transaction both agree on whether it went through,
 * on every lamport and on every byte, and no lamport is made or lost. `SWARMD_PROGRAM_STEPS` sets how many there are.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import { PublicKey } from '@solana/web3.js'
import { CONFIG } from '../../ledger/chain/layout/accounts.js'
import { INSTRUCTIONS } from '../../ledger/chain/layout/program.js'
import { readProgram } from '../../ledger/program/artifacts.js'
import { id, Model } from './program-model.js'
import type { Addresses } from './program-model.js'
import { RULES } from './program-rules.js'
import { Stage } from './program-stage.js'
import { PARTIES, Random, Steps } from './program-steps.js'
import type { Step } from './program-steps.js'
import { SOL, START } from './program-world.js'

const SHARDS = 20
const STEPS = Number(process.env['SWARMD_PROGRAM_STEPS'] ?? 20_000) / SHARDS
const FIRST_SEED = Number(process.env['SWARMD_PROGRAM_SEED'] ?? 1)
const IMAGE = await readProgram()

class Derived implements Addresses {
  readonly #program: PublicKey
  readonly #found = new Map<string, { key: PublicKey; bump: number }>()

  constructor(program: PublicKey) {
    this.#program = program
  }

  of(seeds: readonly (string | Uint8Array)[]): { key: PublicKey; bump: number } {
    const bytes = seeds.map((seed) => Buffer.from(seed))
    const name = bytes.map((seed) => seed.toString('hex')).join()
    let found = this.#found.get(name)
    if (!found) {
      const [key, bump] = PublicKey.findProgramAddressSync(bytes, this.#program)
      this.#found.set(name, (found = { key, bump }))
    }
    return found
  }
}

/** Names of instructions that went through. */
function history(seed: number): Set<string> {
  const random = new Random(seed)
  const { world, config } = ready()
  const model = new Model(world.program, RULES, new Derived(world.program), rents(world.rent.bind(world)))
  for (const name of PARTIES) model.set(world.fund(name, 10n * SOL), { lamports: 10n * SOL })
  model.set(config, { lamports: world.balance(config), body: { config: world.read(CONFIG, config) } })
  const steps = new Steps(random, world, model)
  const done = new Set<string>()
  const recent: string[] = []
  model.slot = START.slot
  model.now = START.time
  for (let count = 0; count < STEPS; count++) {
    if (random.rarely(6)) {
      model.slot += BigInt(random.one([0, 1, 50, 151]))
      model.now += BigInt(random.one([0, 1, 30, 60, 100, 604_800]))
      world.setClock(model.slot, model.now)
    }
    const step = steps.next()
    const before = model.total()
    const { error } = world.send(...step.instructions)
    const reason = model.transact(step.instructions, step.areSignaturesGood)
    recent.push(`${count} ${step.title}: ${error ?? 'ok'}, the model: ${reason ?? 'ok'}`)
    const where = `seed ${seed}\n${recent.slice(-12).join('\n')}`
    assert.equal(error === null, reason === null, where)
    assert.equal(model.total(), before, where)
    compare(step, where)
    if (error === null) for (const one of step.instructions) done.add(nameOf(one.data[0], one.programId))
  }
  return done

  function compare({ instructions }: Step, where: string): void {
    const keys = new Map(instructions.flatMap((one) => one.keys.map(({ pubkey }) => [id(pubkey), pubkey] as const)))
    for (const key of keys.values()) {
      if (key.equals(PublicKey.default) || key.toBase58().startsWith('Sysvar')) continue
      const chain = world.account(key)
      assert.equal(chain?.lamports ?? 0n, model.entry(key).lamports, `lamports of ${key.toBase58()}, ${where}`)
      assert.deepEqual(chain?.data ?? new Uint8Array(), model.bytes(key), `bytes of ${key.toBase58()}, ${where}`)
    }
  }

  function nameOf(number: number | undefined, program: PublicKey): string {
    const spec = INSTRUCTIONS.find((one) => one.number === number)
    return program.equals(world.program) ? (spec?.name ?? '') : ''
  }
}

function ready(): Stage {
  const stage = new Stage(IMAGE)
  stage.must(stage.init())
  return stage
}

function rents(ask: (bytes: number) => bigint): (bytes: number) => bigint {
  const known = new Map<number, bigint>()
  return (bytes) => {
    let rent = known.get(bytes)
    if (rent === undefined) known.set(bytes, (rent = ask(bytes)))
    return rent
  }
}

const seen = new Set<string>()
for (let shard = 0; shard < SHARDS; shard++) {
  const seed = FIRST_SEED + shard
  test(`program and model agree on ${STEPS} random transactions, seed ${seed}`, () => {
    for (const name of history(seed)) seen.add(name)
  })
}

test('every instruction but the first went through somewhere', () => {
  const missing = INSTRUCTIONS.map(({ name }) => name).filter((name) => name !== 'config_init' && !seen.has(name))
  assert.deepEqual(missing, [])
})
