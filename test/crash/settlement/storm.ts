/**
 * The storm over settlement: a consumer and a provider pay each other on an embedded chain, behind an RPC node that is
 * hostile and forks. One of them is killed at a named step of a transaction, or the other, or both at any instant; after
 * each kill chain, wire and disks are asked whether every promise about money was kept. At the end it is calm: requests are
 * answered and paid, everything that is worth it is settled, and both sides go on to work.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { settlementFee } from '../../../ledger/chain/settle-policy.js'
import { isOpen } from '../../../ledger/chain/outbox-states.js'
import { MOMENTS } from '../../helpers/hostile-rpc.js'
import type { Moment, Weather } from '../../helpers/hostile-rpc.js'
import { connectControl } from '../../../daemon/control/client.js'
import { readBooks } from '../evidence.js'
import type { Books, Promised } from '../evidence.js'
import { Load } from '../load.js'
import { brokenBooks } from '../promises.js'
import type { Pair } from '../promises.js'
import type { Random } from '../random.js'
import type { Side } from '../side.js'
import { BrokenPromise } from '../storm.js'
import { entryOf, outboxOf } from './outbox-file.js'
import { brokenIntentions, brokenMoney, brokenOutbox, unsettled } from './promises.js'
import type { Facts } from './promises.js'
import { openWorld, PRICE } from './world.js'
import type { World } from './world.js'

export interface SettlementOptions {
  readonly kills: number
  readonly random: Random
  /** Kept when a promise is broken. */
  readonly folder: string
  /** Kills between two looks at both logs. */
  readonly batch: number
  /** At the end, wait until every channel was closed for being idle, and its deposit is back: a minute or two of waiting. */
  readonly refund?: boolean
  readonly tell: (line: string) => void
}

export interface SettlementReport {
  readonly kills: number
  /** Kills at each step: `consumer, submitted (open)`. */
  readonly at: ReadonlyMap<string, number>
  readonly words: string
  readonly refusals: ReadonlyMap<string, string>
  /** Faults of the RPC node, by kind. */
  readonly faults: ReadonlyMap<string, number>
  readonly forks: number
  readonly channels: number
  readonly orders: number
  /** Transactions that landed, and those of them that the chain refused. */
  readonly landed: number
  readonly refusedThere: number
  /** Lamports. */
  readonly settled: bigint
  readonly fees: bigint
  readonly checks: number
  readonly seconds: number
}

/** The steps that are seen on the wire, and the two that only the disk shows, right after them. */
const STEPS = [...MOMENTS, 'confirmed', 'finalized'] as const
type Step = (typeof STEPS)[number]
/** What the disk must say of a transaction whose node died there. */
const PHASES: Readonly<Record<Step, readonly string[]>> = {
  rehearsed: [],
  prepared: ['prepared'],
  submitted: ['submitted'],
  sent: ['submitted'],
  seen: ['submitted'],
  final: ['submitted', 'confirmed'],
  confirmed: ['confirmed'],
  finalized: ['finalized'],
}
/** On the wire just before. */
const BEFORE: Readonly<Partial<Record<Step, Moment>>> = { confirmed: 'seen', finalized: 'final' }

interface Aim {
  readonly side: keyof Pair<Side>
  readonly step: Step
  /** Lives so far in which it did not come to that. */
  lives: number
}

const MODEL = 'mock-words:f32'
const WORKERS = 3
const LENGTHS = [20, 150, 300] as const
/** Tokens, with room to spare, as in the ledger's storm. */
const MAX_REQUEST = 1_000n
const MAX_WINDOW = 2048n + 64n
const STUCK_MS = 300_000
/** For the daemon to come to the step that is aimed at, in one life. */
const LIFE_MS = 9_000
/** A write that the disk has to show after an answer. */
const WRITE_MS = 20_000
const LIVES = 4
const CALM_REQUESTS = 6
const DISK_POLL_MS = 2

const ROUGH: Weather = {
  late: 20,
  silent: 2,
  'silent, forwarded': 2,
  'cut before': 12,
  'cut after': 12,
  'asked twice': 25,
  'answered twice': 15,
  busy: 10,
  broken: 10,
  garbage: 10,
  behind: 10,
  swallowed: 120,
  'refused, forwarded': 120,
  blind: 120,
  'claims confirmed': 120,
}

/** Throws `BrokenPromise`. */
export async function settlementStorm(options: SettlementOptions): Promise<SettlementReport> {
  const storm = new Storm(options)
  try {
    return await storm.run()
  } finally {
    await storm.end()
  }
}

class Storm {
  readonly #options: SettlementOptions
  readonly #began = performance.now()
  readonly #at = new Map<string, number>()
  /** Everything that an intention was ever signed as. */
  readonly #signed = new Map<string, Set<string>>()
  /** What was seen to be wrong while a request was served. */
  readonly #wrong: string[] = []
  /** The highest vouchers ever seen of a channel: what has ended may be forgotten. */
  readonly #most = new Map<string, { signed: bigint; held: bigint }>()
  #world: World | null = null
  #load: Load | null = null
  #aims: Aim[] = []
  #aim: Aim | null = null
  /** The kill at the step that is aimed at, once it has begun. */
  #hit: Promise<string> | null = null
  #facts: Facts | null = null
  #books: Pair<Books> | null = null
  #kills = 0
  #forks = 0
  #checks = 0

  constructor(options: SettlementOptions) {
    this.#options = options
  }

  async run(): Promise<SettlementReport> {
    const { folder, kills, batch, random } = this.#options
    this.#world = await openWorld(folder, random, (who, moment, signature) => this.#step(who, moment, signature))
    this.#load = new Load({
      model: MODEL,
      random,
      base: () => this.#here.base,
      marker: 'nobody may read this on a disk',
      workers: WORKERS,
      lengths: LENGTHS,
    })
    while (this.#kills < kills) {
      this.#load.start()
      const until = Math.min(kills, this.#kills + batch)
      while (this.#kills < until) await this.#once()
      await this.#lookAtBooks()
    }
    await this.#calm()
    return this.#report()
  }

  async end(): Promise<void> {
    this.#aim = null
    await this.#hit
    if (this.#world) this.#world.base = null
    await this.#world?.close()
    await this.#load?.stop()
  }

  get #here(): World {
    if (!this.#world) throw new Error('the storm has not begun')
    return this.#world
  }

  get #asking(): Load {
    if (!this.#load) throw new Error('the storm has not begun')
    return this.#load
  }

  /** One life of both, its end, and what that left. */
  async #once(): Promise<void> {
    const { random, tell } = this.#options
    const { rpc, chain } = this.#here
    const mood = random.pick('calm', 'rough', 'rough', 'fork', 'fork and rough')
    const aim = this.#nextAim()
    if (mood.startsWith('fork')) {
      this.#forks++
      await chain.fork()
    }
    rpc.weather = mood.includes('rough') ? ROUGH : {}
    this.#aim = aim
    await this.#start()
    void this.#nudge(random.pick('consumer', 'provider'))
    await this.#reached()
    this.#aim = null
    const told = this.#hit ? await this.#hit : null
    this.#hit = null
    if (told === null) aim.lives++
    else this.#aims.shift()
    if (told === null) await this.#kill(aim.side)
    // The consumer would wait for its provider's connection to be given up, so neither lives on alone.
    await this.#end(aim.side === 'consumer' ? 'provider' : 'consumer')
    await this.#here.join(random.chance(0.5))
    await this.#lookAtMoney()
    // What was signed and never sent has to run out, or its node would wait for a minute.
    const stuck = this.#stuck()
    if (stuck) chain.expire()
    tell(
      `kill ${String(this.#kills).padStart(4)}  ${mood.padEnd(14)} ${(told ?? `any instant, not at ${aim.side}, ${aim.step}`).padEnd(46)}` +
        `${stuck ? ' expired' : ''}  ${this.#asking.words()}`,
    )
  }

  /** The next of all steps of both sides, in an order of chance; one that never comes is left out at last. */
  #nextAim(): Aim {
    if (this.#aims[0] && this.#aims[0].lives >= LIVES) this.#aims.shift()
    if (this.#aims.length === 0)
      this.#aims = (['consumer', 'provider'] as const)
        .flatMap((side) => STEPS.map((step) => ({ side, step, lives: 0, order: this.#options.random.next() })))
        .toSorted((a, b) => a.order - b.order)
    const [aim] = this.#aims
    if (!aim) throw new Error('no aims')
    return aim
  }

  /** The step that is aimed at; else some answers, or what a life lasts without any, and a moment more. */
  async #reached(): Promise<void> {
    const { random } = this.#options
    let over = false
    const life = this.#asking
      .answers(1 + random.below(25), LIFE_MS)
      .then(() => delay(random.below(1_500)))
      .then(() => (over = true))
    while (!this.#hit && !over) await delay(10)
    if (over) await life
  }

  /** A step on the wire. Returns true when the one that asks is dead. */
  async #step(who: string, moment: Moment, signature: string | null): Promise<boolean> {
    const side = who === 'consumer' ? 'consumer' : 'provider'
    if (moment === 'submitted') this.#isDurable(side, signature ?? '')
    const aim = this.#aim
    if (!aim || this.#hit || aim.side !== side || (BEFORE[aim.step] ?? aim.step) !== moment) return false
    if (aim.step in BEFORE) {
      this.#hit = this.#afterWrite(aim, signature ?? '')
      return false
    }
    this.#hit = this.#struck(aim, signature)
    await this.#hit
    return true
  }

  /** The answer leaves now; the kill comes when the disk shows what it has led to. */
  async #afterWrite(aim: Aim, signature: string): Promise<string> {
    const { dataDir } = this.#here[aim.side]
    const end = performance.now() + WRITE_MS
    while (!PHASES[aim.step].includes(entryOf(dataDir, signature)?.phase ?? '') && performance.now() < end)
      await delay(DISK_POLL_MS)
    return this.#struck(aim, signature)
  }

  async #struck({ side, step }: Aim, signature: string | null): Promise<string> {
    await this.#kill(side)
    const entry = signature === null ? null : entryOf(this.#here[side].dataDir, signature)
    const allowed = PHASES[step]
    if (allowed.length > 0 && !allowed.includes(entry?.phase ?? 'nowhere'))
      this.#wrong.push(
        `the ${side} died at ${step} and its disk has ${signature ?? ''} as ${entry?.phase ?? 'nothing'}`,
      )
    const told = `${side}, ${step}${entry ? ` (${entry.purpose['what'] ?? '?'})` : ''}`
    this.#at.set(told, (this.#at.get(told) ?? 0) + 1)
    return told
  }

  /** Promise 4: the first byte leaves when the disk has it. */
  #isDurable(side: keyof Pair<Side>, signature: string): void {
    const entry = entryOf(this.#here[side].dataDir, signature)
    if (entry?.phase !== 'submitted')
      this.#wrong.push(`the ${side} sent ${signature}, which its disk has as ${entry?.phase ?? 'nothing'}`)
    if (!entry) return
    const name = `${side} ${entry.id}`
    const known = this.#signed.get(name) ?? new Set()
    this.#signed.set(name, known.add(signature))
  }

  /** Owners do things by hand, too: a payer closes its channel, a provider settles. Whatever comes of it. */
  async #nudge(name: keyof Pair<Side>): Promise<void> {
    const { random } = this.#options
    const { dataDir } = this.#here[name]
    if (!random.chance(0.5)) return
    try {
      const control = await connectControl({ dataDir, runtimeDir: `${dataDir}/../home` })
      try {
        const wanted = name === 'consumer' ? { op: 'close', channel: null } : { op: 'settle', channel: null }
        for await (const item of control.stream('desk', wanted)) void item
      } finally {
        control.close()
      }
    } catch {
      // It was not up, could not, or died over it.
    }
  }

  async #kill(name: keyof Pair<Side>): Promise<void> {
    const side = this.#here[name]
    if (!side.running) return
    this.#kills++
    if (name === 'consumer') this.#here.base = null
    await side.kill()
  }

  /** Mostly as abruptly, sometimes with its last settlement. */
  async #end(name: keyof Pair<Side>): Promise<void> {
    if (this.#options.random.chance(0.7)) return this.#kill(name)
    if (name === 'consumer') this.#here.base = null
    await this.#here[name].end()
  }

  async #start(): Promise<void> {
    const { consumer, provider, rpc, chain } = this.#here
    // The first start of all asks for the genesis hash; only that may not fail.
    const first = consumer.lives === 0
    if (first) rpc.weather = {}
    provider.start()
    consumer.start()
    const { apiUrl } = await consumer.event('listening')
    if (first) await provider.event('ready')
    await chain.main.durable()
    this.#here.base = `${String(apiUrl)}/v1`
  }

  /** Something was signed and nobody will send it again. */
  #stuck(): boolean {
    const { consumer, provider, books } = this.#here
    return [consumer, provider].some(({ dataDir }) =>
      outboxOf(dataDir).some(
        (entry) => isOpen(entry) && entry.phase !== 'prepared' && !books.landed.has(entry.signature),
      ),
    )
  }

  async #lookAtMoney(): Promise<void> {
    const { books, rpc, consumer, provider } = this.#here
    const now = await this.#here.facts()
    const lives = [...rpc.sent].filter(([, { lives }]) => lives.size > 1)
    this.#holds([
      ...this.#wrong,
      ...brokenMoney(this.#facts, now),
      ...brokenIntentions(this.#signed, books.landed),
      ...lives.map(([signature, { by }]) => `${signature} was sent by two lives of the ${by}`),
      ...[consumer, provider].flatMap(({ name, dataDir }) =>
        brokenOutbox(name, outboxOf(dataDir), books.landed, rpc.liedFinal),
      ),
    ])
    this.#facts = now
    for (const { address, consumerHas, providerHas } of now.channels) this.#keep(address, consumerHas, providerHas)
    for (const lost of await this.#here.lostChannels()) this.#keep(lost.address, lost.consumer, lost.provider)
  }

  #keep(address: string, { signed }: Promised, { held }: Promised): void {
    const most = this.#most.get(address) ?? { signed: 0n, held: 0n }
    const higher = (a: bigint, b: bigint): bigint => (a > b ? a : b)
    this.#most.set(address, { signed: higher(signed, most.signed), held: higher(held, most.held) })
  }

  /** Neither runs: reads everything. */
  async #lookAtBooks(): Promise<void> {
    const { consumer, provider } = this.#here
    await this.#asking.stop()
    await this.#lookAtMoney()
    const now = {
      provider: { ...(await readBooks(provider.dataDir, null)), vouchers: this.#sum() },
      consumer: { ...(await readBooks(consumer.dataDir, null)), vouchers: this.#sum() },
    }
    this.#holds(
      brokenBooks(this.#books, now, {
        deposit: 0n,
        crashes: this.#kills,
        window: MAX_WINDOW * PRICE,
        underWay: BigInt(WORKERS) * MAX_REQUEST * PRICE,
      }),
    )
    this.#books = now
    const both = now.consumer.kept.filter(({ signed }) => signed === 'both').length
    const { signed, held } = this.#sum()
    this.#options.tell(
      `checked   ${both} signed by both, ${this.#facts?.channels.length ?? 0} channels, vouchers ${signed} signed and ${held} held`,
    )
  }

  /** Of all channels together, and what orders have paid. */
  #sum(): Promised {
    const all = [...this.#most.values()]
    const sum = (values: readonly bigint[]): bigint => values.reduce((a, b) => a + b, 0n)
    const claimed = sum(this.#here.books.orders().map(({ account }) => account.cost))
    return {
      signed: claimed + sum(all.map(({ signed }) => signed)),
      held: claimed + sum(all.map(({ held }) => held)),
      genuine: true,
    }
  }

  /** After the storm everything works and everything is settled. */
  async #calm(): Promise<void> {
    const { chain, rpc } = this.#here
    rpc.weather = {}
    await this.#here.join(true)
    if (this.#stuck()) chain.expire()
    const before = this.#books
    await this.#start()
    await this.#answered('after the storm nothing is answered')
    let answered = 0
    for (let i = 0; i < CALM_REQUESTS; i++) if (await this.#asking.once(100)) answered++
    this.#holds(answered === CALM_REQUESTS ? [] : [`in the calm ${answered} of ${CALM_REQUESTS} were answered`])
    await this.#endBoth()
    await this.#lookAtBooks()
    this.#holds([...this.#unpaid(before, this.#books), ...unsettled(this.#facts?.channels ?? [], settlementFee(1))])
    await this.#start()
    await this.#answered('after settling everything nothing is answered')
    if (this.#options.refund) await this.#refunded()
    await this.#endBoth()
    await this.#lookAtBooks()
  }

  /** Nobody asks any more: what was not used comes back by itself, the rent included. */
  async #refunded(): Promise<void> {
    const { books } = this.#here
    const until = performance.now() + STUCK_MS
    const left = (): string[] => books.channels().flatMap(({ address, lamports }) => (lamports > 0n ? [address] : []))
    while (left().length > 0) {
      if (performance.now() > until) throw new BrokenPromise(left().map((address) => `${address} is never given back`))
      await delay(500)
    }
    this.#options.tell(`refunded  ${books.channels().length} channels closed, nothing is locked any more`)
  }

  /** The payer first: its last vouchers are settled by the other's end. */
  async #endBoth(): Promise<void> {
    this.#here.base = null
    await this.#here.consumer.end()
    await this.#here.provider.end()
  }

  async #answered(otherwise: string): Promise<void> {
    const until = performance.now() + STUCK_MS
    while (!(await this.#asking.once(3)))
      if (performance.now() > until) throw new BrokenPromise([`${otherwise}: ${this.#asking.words()}`])
  }

  /** In the calm, what was billed since is paid to the lamport. */
  #unpaid(before: Pair<Books> | null, now: Pair<Books> | null): string[] {
    if (!before || !now) return []
    const billed = (books: Books): bigint => books.kept.reduce((sum, { cost }) => sum + cost, 0n)
    const more = billed(now.provider) - billed(before.provider)
    const paid = (now.provider.vouchers.held - before.provider.vouchers.held) * 1_000_000n
    // Older debts may be paid with it, too; a lamport for each channel is what rounding takes.
    const rounding = 1_000_000n * BigInt((this.#facts?.channels.length ?? 0) + this.#here.books.orders().length)
    return paid + rounding < more ? [`in the calm ${more} microlamports were billed and ${paid} paid`] : []
  }

  #holds(broken: readonly string[]): void {
    this.#checks++
    if (broken.length > 0) throw new BrokenPromise(broken)
  }

  #report(): SettlementReport {
    const { books, rpc } = this.#here
    const landed = [...books.landed.values()]
    return {
      kills: this.#kills,
      at: this.#at,
      words: this.#asking.words(),
      refusals: this.#asking.refusals,
      faults: rpc.met,
      forks: this.#forks,
      channels: books.channels().length,
      orders: books.orders().length,
      landed: landed.length,
      refusedThere: landed.filter((error) => error !== null).length,
      settled: books.channels().reduce((sum, { account }) => sum + account.settled, 0n),
      fees: books.fees(),
      checks: this.#checks,
      seconds: (performance.now() - this.#began) / 1000,
    }
  }
}
