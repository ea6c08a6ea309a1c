/** The settlement outbox against a chain that loses, lies, forks, and a process that dies at every step. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { ChainError } from '../../ledger/chain/errors.js'
import type { Rejection } from '../../ledger/chain/errors.js'
import { Outbox } from '../../ledger/chain/outbox.js'
import type { OutboxChain, OutboxJournal } from '../../ledger/chain/outbox.js'
import { isOpen, step } from '../../ledger/chain/outbox-states.js'
import type { OutboxEntry, Sighting } from '../../ledger/chain/outbox-states.js'
import { Journal } from '../../ledger/store/journal.js'
import { folderOf } from './folder.js'

const VALID = 150
/** Blocks until what is confirmed is final. */
const FINAL = 32
/** What ends a process: no Error, so that nothing takes it for a failure of the network. */
const DEATH: unknown = Symbol('death')
const die = async (): Promise<never> => {
  throw DEATH
}
const REJECTED: Rejection = { instruction: 0, custom: 6060, name: 'VOUCHER_NOT_HIGHER', logs: [] }

interface Sent {
  readonly signature: string
  readonly until: number
  readonly rejected: boolean
}

type SendManner = 'ok' | 'twice' | 'lost' | 'lands, answer lost' | 'taken, never lands' | 'dies before' | 'dies after'
type LookManner = 'ok' | 'down' | 'claims confirmed' | 'blind once'

class FakeChain implements OutboxChain {
  height = 1_000
  send_: SendManner = 'ok'
  look_: LookManner = 'ok'
  /** Which life of the process sent a signature. */
  readonly senders = new Map<string, Set<number>>()
  readonly #landed = new Map<string, { readonly at: number; readonly sent: Sent }>()
  readonly #pending = new Map<string, Sent>()
  life = 0

  send(wire: Uint8Array): Promise<void> {
    const sent = JSON.parse(Buffer.from(wire).toString()) as Sent
    if (this.send_ === 'dies before') return die()
    const lives = this.senders.get(sent.signature) ?? new Set()
    this.senders.set(sent.signature, lives.add(this.life))
    if (this.send_ === 'lost') return Promise.reject(ChainError.RPC_TIMEOUT('fake', 1))
    if (this.send_ === 'taken, never lands') return Promise.resolve()
    this.#land(sent)
    if (this.send_ === 'twice') this.#land(sent)
    if (this.send_ === 'lands, answer lost') return Promise.reject(ChainError.RPC_UNREACHABLE('fake', 'dropped'))
    if (this.send_ === 'dies after') return die()
    return Promise.resolve()
  }

  look(signatures: readonly string[]): Promise<Sighting[]> {
    const manner = this.look_
    if (manner === 'down') return Promise.reject(ChainError.RPC_UNREACHABLE('fake', 'down'))
    if (manner === 'blind once') this.look_ = 'ok'
    const finalHeight = this.height - FINAL
    return Promise.resolve(
      signatures.map((signature) => {
        if (manner === 'blind once') return { finalHeight, status: null }
        const landed = this.#landed.get(signature)
        if (!landed) return { finalHeight, status: manner === 'ok' ? null : { level: 'confirmed', rejection: null } }
        const level = landed.at <= finalHeight ? 'finalized' : 'confirmed'
        return { finalHeight, status: { level, rejection: landed.sent.rejected ? REJECTED : null } }
      }),
    )
  }

  /** What is not final yet is taken back; what was taken back may come again, or not. */
  fork(again: boolean): void {
    for (const [signature, { at, sent }] of this.#landed) {
      if (at <= this.height - FINAL) continue
      this.#landed.delete(signature)
      if (again) this.#pending.set(signature, sent)
    }
  }

  advance(blocks: number): void {
    this.height += blocks
    for (const sent of this.#pending.values()) this.#land(sent)
    this.#pending.clear()
  }

  truth(signature: string): 'paid' | 'rejected' | 'never' {
    const landed = this.#landed.get(signature)
    if (!landed) return 'never'
    return landed.sent.rejected ? 'rejected' : 'paid'
  }

  #land(sent: Sent): void {
    if (this.height <= sent.until && !this.#landed.has(sent.signature))
      this.#landed.set(sent.signature, { at: this.height, sent })
  }
}

/** A disk that outlives its process; `dies` counts down to the write at which the process ends, before or after it. */
class FakeDisk implements OutboxJournal {
  readonly map = new Map<string, Uint8Array>()
  dies: { left: number; readonly after: boolean } | null = null

  entries(): MapIterator<[string, Uint8Array]> {
    return new Map(this.map).entries()
  }

  write(changes: readonly (readonly [string, Uint8Array | null])[]): Promise<void> {
    const last = this.dies !== null && this.dies.left-- === 0
    if (!last || this.dies?.after) {
      for (const [key, value] of changes) {
        if (value) this.map.set(key, value)
        else this.map.delete(key)
      }
    }
    if (!last) return Promise.resolve()
    this.dies = null
    return die()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

class World {
  readonly chain = new FakeChain()
  readonly disk = new FakeDisk()
  #ms = 0
  #count = 0
  outbox = this.#open()

  async prepare(rejected: boolean): Promise<void> {
    const until = this.chain.height + VALID
    const signature = `signature ${this.#count++}`
    const wire = Buffer.from(JSON.stringify({ signature, until, rejected } satisfies Sent)).toString('base64')
    const draft = { id: signature, signature, wire, lastValidBlockHeight: until, purpose: {} }
    await this.#survive(() => this.outbox.prepare(draft))
  }

  async tick(): Promise<void> {
    this.#ms += 3_000
    await this.#survive(() => this.outbox.tick())
  }

  /** Until nothing is under way any more, with a network and a disk that work. */
  async settle(): Promise<void> {
    this.chain.send_ = 'ok'
    this.chain.look_ = 'ok'
    this.disk.dies = null
    for (let turns = 0; this.outbox.list().some(isOpen); turns++) {
      assert.ok(turns < 50, 'it comes to an end')
      this.chain.advance(10)
      await this.tick()
    }
  }

  /** Every verdict is the chain's truth, and no signature was sent by two lives. */
  check(): void {
    for (const { signature, phase, failure } of this.outbox.list()) {
      const verdict = phase === 'finalized' ? 'paid' : failure?.code === 'TX_REJECTED' ? 'rejected' : 'never'
      assert.equal(verdict, this.chain.truth(signature), signature)
    }
    for (const [signature, lives] of this.chain.senders)
      assert.equal(lives.size, 1, `${signature} sent after a restart`)
  }

  async #survive(work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (error !== DEATH) throw error
      this.chain.life++
      this.chain.send_ = 'ok'
      this.outbox = this.#open()
    }
  }

  #open(): Outbox {
    return new Outbox({ journal: this.disk, chain: this.chain, now: () => this.#ms })
  }
}

type Action = (world: World) => Promise<void> | void
const SENDS = ['ok', 'twice', 'lost', 'lands, answer lost', 'taken, never lands', 'dies before', 'dies after'] as const
const LOOKS = ['ok', 'down', 'claims confirmed', 'blind once'] as const

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.boolean().map((rejected) => (world: World) => world.prepare(rejected)) },
  { weight: 5, arbitrary: fc.constant((world: World) => world.tick()) },
  fc.constantFrom(...SENDS).map((manner) => (world: World) => void (world.chain.send_ = manner)),
  fc.constantFrom(...LOOKS).map((manner) => (world: World) => void (world.chain.look_ = manner)),
  fc.constantFrom(1, 20, 60, 200).map((blocks) => (world: World) => world.chain.advance(blocks)),
  fc.boolean().map((again) => (world: World) => world.chain.fork(again)),
  fc.tuple(fc.nat(3), fc.boolean()).map(
    ([left, after]) =>
      (world: World) =>
        void (world.disk.dies = { left, after }),
  ),
)

test('whatever the network, the forks and the crashes do, every verdict is the truth of the chain', async () => {
  const runs = fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
    const world = new World()
    for (const act of actions) await act(world)
    await world.settle()
    world.check()
  })
  await fc.assert(runs, { numRuns: 3_000 })
})

test('a confirmed transaction that a fork took back is asked for again until it is final', async () => {
  const world = new World()
  await world.prepare(false)
  await world.tick()
  const phase = (): string | undefined => world.outbox.list()[0]?.phase
  assert.equal(phase(), 'confirmed')
  world.chain.fork(false)
  world.chain.send_ = 'lost'
  await world.tick()
  assert.equal(phase(), 'submitted')
  world.chain.send_ = 'ok'
  await world.tick()
  assert.equal(phase(), 'confirmed')
  world.chain.advance(FINAL)
  await world.tick()
  assert.equal(phase(), 'finalized')
})

test('after a restart what was submitted is only asked for, what was prepared is sent', async () => {
  const world = new World()
  world.chain.send_ = 'dies before'
  await world.prepare(false)
  await world.tick()
  assert.equal(world.outbox.list()[0]?.phase, 'submitted')
  await world.tick()
  await world.tick()
  assert.equal(world.chain.senders.size, 0)
  await world.prepare(false)
  world.disk.dies = { left: 0, after: false }
  await world.tick()
  assert.equal(world.outbox.list()[1]?.phase, 'prepared')
  await world.tick()
  assert.deepEqual([...world.chain.senders.keys()], ['signature 1'])
  await world.settle()
  world.check()
})

test('an error that is not final is no success; the last block that could hold it has to be final', () => {
  const entry: OutboxEntry = {
    id: 'x',
    signature: 'x',
    wire: '',
    lastValidBlockHeight: 100,
    purpose: {},
    preparedAt: 0,
    missing: 0,
    failure: null,
    phase: 'submitted',
  }
  const seen = (level: 'confirmed' | 'finalized') =>
    step(entry, { type: 'sighting', finalHeight: 90, status: { level, rejection: REJECTED } })
  assert.deepEqual([seen('confirmed').phase, seen('finalized').phase], ['submitted', 'failed'])
  const absent = (from: OutboxEntry, finalHeight: number) => step(from, { type: 'sighting', finalHeight, status: null })
  assert.equal(absent(absent(entry, 100), 100), entry)
  assert.equal(absent(absent(entry, 101), 101).phase, 'failed')
})

test('the same intention is taken once, and only what has not been sent may be submitted', async () => {
  const world = new World()
  await world.prepare(false)
  const [entry] = world.outbox.list()
  assert.ok(entry)
  await assert.rejects(world.outbox.prepare(entry), { code: 'REQUEST_DUPLICATE' })
  const submitted = step(entry, { type: 'submit' })
  assert.throws(() => step(submitted, { type: 'submit' }), /may not be submitted/)
})

test('killed after any write to a real disk, the outbox opens with what it had promised and comes to the same end', async (t) => {
  const folder = folderOf(t)
  const copies: { readonly path: string; readonly phases: readonly string[] }[] = []
  const chain = new FakeChain()
  let ms = 0
  const now = (): number => (ms += 3_000)
  const open = async (path: string): Promise<Outbox> => new Outbox({ journal: await Journal.open(path), chain, now })
  const outbox = await open(join(folder, 'outbox'))
  const keep = (): void => {
    const at = join(folder, String(copies.length))
    mkdirSync(at)
    copyFileSync(join(folder, 'outbox'), join(at, 'outbox'))
    copies.push({ path: join(at, 'outbox'), phases: outbox.list().map(({ phase }) => phase) })
  }
  outbox.onChange(keep)
  for (const id of ['a', 'b']) {
    const until = chain.height + VALID
    const wire = Buffer.from(JSON.stringify({ signature: id, until, rejected: id === 'b' })).toString('base64')
    await outbox.prepare({ id, signature: id, wire, lastValidBlockHeight: until, purpose: { what: 'test' } })
    keep()
  }
  const finish = async (box: Outbox): Promise<OutboxEntry[]> => {
    while (box.list().some(isOpen)) {
      await box.tick()
      chain.advance(10)
    }
    return box.list()
  }
  const end = await finish(outbox)
  await outbox.close()
  assert.ok(copies.length >= 6)
  for (const { path, phases } of copies) {
    const again = await open(path)
    assert.deepEqual(
      again.list().map(({ phase }) => phase),
      phases,
    )
    // The chain has both by now, so every copy comes to the same end, however early it was taken.
    assert.deepEqual(
      (await finish(again)).map(({ id, phase }) => [id, phase]),
      end.slice(0, phases.length).map(({ id, phase }) => [id, phase]),
    )
    await again.close()
  }
})
