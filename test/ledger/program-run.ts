/**
 * Runs all cases against one build of the program: the committed one in the tests, and each mutant of it.
 */
import { Ed25519Program, PublicKey, TransactionInstruction } from '@solana/web3.js'
import { voucherSignatures } from '../../ledger/chain/layout/voucher-signatures.js'
import { HEAD_BYTES, writeImage } from '../../ledger/program/image.js'
import { attacks } from './program-attacks.js'
import { generalCases } from './program-calls.js'
import type { Case, Expected } from './program-calls.js'
import { Stage } from './program-stage.js'
import { address } from './program-world.js'
import type { Outcome } from './program-world.js'

export interface Verdict {
  readonly title: string
  readonly expected: Expected
  readonly outcome: Outcome
  /** Null when all is as expected. */
  readonly wrong: string | null
}

export function* runCases(image: Uint8Array): Generator<Verdict> {
  yield* run(Stage.ready(image), [...generalCases(), ...attacks()])
  yield* run(trusting(image), BOUNDS)
}

function* run(stage: Stage, cases: readonly Case[]): Generator<Verdict> {
  const saved = stage.world.save()
  for (const { title, expected, act, after } of cases) {
    let outcome: Outcome = { error: 'threw', units: 0 }
    let wrong: string | null = null
    try {
      outcome = stage.world.send(...act(stage))
      if (outcome.error === null) after?.(stage)
      if (!fits(expected, outcome)) wrong = `${expected} expected, ${outcome.error ?? 'ok'} seen`
    } catch (error) {
      wrong = error instanceof Error ? error.message : String(error)
    }
    yield { title, expected, outcome, wrong }
    stage.world.restore(saved)
  }
}

function fits(expected: Expected, { error }: Outcome): boolean {
  if (expected === 'ok') return error === null
  if (expected === 'runtime') return error !== null && (error.startsWith('runtime') || error.startsWith('Custom'))
  return error === expected
}

/** `mov r0, 0; exit` */
const NOTHING = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0)

/**
 * On a cluster the precompile itself refuses offsets beyond its data, so the program's own bounds never speak. Here the
 * program is made to trust another one, which takes everything.
 */
function trusting(image: Uint8Array): Stage {
  const stage = new Stage(patched(image, Ed25519Program.programId, CREDULOUS))
  const entry = { name: 'entrypoint', at: HEAD_BYTES }
  const parts = { text: NOTHING, readOnly: new Uint8Array(), readOnlyAt: HEAD_BYTES + 16, entry, systemCalls: [] }
  stage.world.svm.addProgram(address(CREDULOUS), writeImage(parts))
  stage.must(stage.init())
  stage.must(stage.register('pat'), stage.register('quinn'))
  return stage
}

const CREDULOUS = new PublicKey(new Uint8Array(32).fill(0xcc))

/** The compiler keeps a key as four wide loads: half a word, eight bytes on the other half. */
function patched(image: Uint8Array, from: PublicKey, to: PublicKey): Uint8Array {
  const out = Buffer.from(image)
  const [old, next] = [from, to].map((key) => Buffer.from(key.toBytes()))
  if (!old || !next) throw new Error('two keys')
  for (let at = 0; at < 32; at += 8) {
    const [low, high] = [old.subarray(at, at + 4), old.subarray(at + 4, at + 8)]
    let place = out.indexOf(low)
    while (place >= 0 && !out.subarray(place + 8, place + 12).equals(high)) place = out.indexOf(low, place + 1)
    if (place < 0) throw new Error('the key is not where it was')
    next.copy(out, place, at, at + 4)
    next.copy(out, place + 8, at + 4, at + 8)
  }
  return out
}

/** At `at` stands the offset of the key or the message. A copy of that is put last and named, `by` bytes too far. */
function atTheEnd(title: string, at: 6 | 10, expected: Expected, by: number): Case {
  return {
    title,
    expected,
    act(stage) {
      stage.must(stage.open())
      const it = voucherSignatures([stage.voucher({})])
      const from = it.data.readUInt16LE(at)
      const data = Buffer.concat([it.data, it.data.subarray(from, from + (at === 6 ? 32 : 50))])
      data.writeUInt16LE(it.data.length + by, at)
      return [credulous(data), stage.settle()[1]]
    },
  }
}

function bare(title: string, expected: Expected, length: number): Case {
  return {
    title,
    expected,
    act(stage) {
      stage.must(stage.open())
      const data = Buffer.alloc(length)
      data[0] = 1
      return [credulous(data), stage.settle()[1]]
    },
  }
}

const BOUNDS: readonly Case[] = [
  atTheEnd('a message that ends at the end', 10, 'ok', 0),
  atTheEnd('a message that ends beyond', 10, 'ED25519_BOUNDS', 1),
  atTheEnd('a message far beyond', 10, 'ED25519_BOUNDS', 60_000),
  atTheEnd('a key that ends at the end', 6, 'ok', 0),
  atTheEnd('a key that ends beyond', 6, 'ED25519_BOUNDS', 1),
  bare('offsets that are cut off', 'ED25519_BOUNDS', 15),
  bare('offsets and nothing else', 'ED25519_INDEX', 16),
]

function credulous(data: Buffer): TransactionInstruction {
  return new TransactionInstruction({ programId: CREDULOUS, keys: [], data })
}
