/**
 * The storm: callers ask without pause while one side or the other is killed at random instants and started again on the same
 * folder. After each kill the vouchers are read, after each batch of kills both disks are checked against every promise. At
 * the end it is calm: all that is asked then must be answered, recorded by both and paid.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { filesWith } from './evidence.js'
import type { Books, Promised } from './evidence.js'
import { Load } from './load.js'
import { booksOf, openPair, vouchersOf } from './pair.js'
import type { Daemons, Money } from './pair.js'
import { brokenBooks, brokenVouchers } from './promises.js'
import type { Bounds, Pair } from './promises.js'
import type { Random } from './random.js'
import type { Side } from './side.js'

export interface StormOptions {
  readonly kills: number
  readonly random: Random
  /** Empty or absent; kept when a promise is broken. */
  readonly folder: string
  /** null: a free swarm, which leaves transactions and no vouchers. */
  readonly money: Money | null
  /** Kills between two looks at both disks. */
  readonly batch: number
  readonly tell: (line: string) => void
}

export interface StormReport {
  readonly kills: number
  readonly asked: number
  readonly answered: number
  /** By what both logs hold: signed by both, half-signed receipts, claims. */
  readonly both: number
  readonly receipts: number
  readonly claims: number
  /** Lamports of the highest voucher. */
  readonly signed: bigint
  readonly held: bigint
  readonly checks: number
  readonly seconds: number
  readonly words: string
  /** Code and words of each kind of refusal that callers met. */
  readonly refusals: ReadonlyMap<string, string>
}

export class BrokenPromise extends Error {
  constructor(broken: readonly string[]) {
    super(broken.join('\n'))
    this.name = 'BrokenPromise'
  }
}

const MODEL = 'mock-words:f32'
const MARKER = 'nobody may read this on a disk'
const WORKERS = 6
/** No machine is so busy: without it, a promise that is broken by silence would be a storm without an end. */
const STUCK_MS = 300_000
const CALM_REQUESTS = 8
/** Tokens, with room to spare: prompt and longest answer of the load, and a provider's widest window. */
const MAX_REQUEST = 512n
const MAX_WINDOW = 2048n + 64n
/** How a kill goes. A provider that dies alone costs its consumer the time until the connection is given up: rarely. */
const WAYS = ['consumer', 'consumer', 'both', 'both', 'both', 'provider, consumer stopped'] as const
const ALONE_EVERY = 250

type Way = (typeof WAYS)[number] | 'provider alone'

/** Throws `BrokenPromise`. */
export async function storm(options: StormOptions): Promise<StormReport> {
  const { folder, money, random } = options
  const daemons = await openPair(folder, money, random)
  const storm = new Storm(options, daemons)
  try {
    return await storm.run()
  } finally {
    daemons.base = null
    await daemons.close()
    await storm.end()
  }
}

class Storm {
  readonly #options: StormOptions
  readonly #daemons: Daemons
  readonly #load: Load
  readonly #began = performance.now()
  #kills = 0
  #checks = 0
  #vouchers: Pair<Promised> | null = null
  #books: Pair<Books> | null = null

  constructor(options: StormOptions, daemons: Daemons) {
    this.#options = options
    this.#daemons = daemons
    this.#load = new Load({
      model: MODEL,
      random: options.random,
      base: () => daemons.base,
      marker: MARKER,
      workers: WORKERS,
    })
  }

  async run(): Promise<StormReport> {
    const { kills, batch } = this.#options
    await this.#start()
    while (this.#kills < kills) {
      this.#load.start()
      const until = Math.min(kills, this.#kills + batch)
      while (this.#kills < until) await this.#once()
      await this.#lookAtBooks()
      await this.#start()
    }
    await this.#calm()
    return this.#report()
  }

  /** After the daemons: nobody asks any more. */
  async end(): Promise<void> {
    await this.#load.stop()
  }

  /** One crash, what it left, and the next life. */
  async #once(): Promise<void> {
    const { random } = this.#options
    // Mostly in the middle of work, sometimes while a daemon is still on its way up.
    if (random.chance(0.85)) await this.#load.progress(STUCK_MS)
    if (random.chance(0.6)) await this.#load.answers(1 + random.below(20), 1500)
    const after = random.below(200)
    await delay(after)
    const way = this.#way()
    await this.#kill(way)
    await this.#lookAtVouchers()
    const began = performance.now()
    await this.#start()
    this.#options.tell(
      `kill ${String(this.#kills).padStart(4)}  ${way.padEnd(26)} after ${String(after).padStart(3)} ms  ` +
        `back in ${Math.round(performance.now() - began)} ms  ${this.#load.words()}`,
    )
  }

  #way(): Way {
    const { random } = this.#options
    if (random.below(ALONE_EVERY) === 0) return 'provider alone'
    const [first, ...others] = WAYS
    return random.pick(first, ...others)
  }

  async #kill(way: Way): Promise<void> {
    const { consumer, provider } = this.#daemons
    const { random } = this.#options
    this.#kills += way === 'both' ? 2 : 1
    if (way !== 'provider alone') this.#daemons.base = null
    switch (way) {
      case 'consumer':
        return consumer.kill()
      case 'provider alone':
        return provider.kill()
      case 'both': {
        const [one, other] = random.chance(0.5) ? [consumer, provider] : [provider, consumer]
        await Promise.all([one.kill(), delay(random.below(80)).then(() => other.kill())])
        return undefined
      }
      case 'provider, consumer stopped':
        await Promise.all([provider.kill(), delay(random.below(200)).then(() => consumer.stop())])
        return undefined
    }
  }

  async #start(): Promise<void> {
    const { consumer, provider } = this.#daemons
    provider.start()
    consumer.start()
    const { apiUrl } = await consumer.event('listening')
    this.#daemons.base = `${String(apiUrl)}/v1`
  }

  async #lookAtVouchers(): Promise<void> {
    const now = await vouchersOf(this.#daemons)
    this.#holds(brokenVouchers(this.#vouchers ?? now, now, this.#bounds()))
    this.#vouchers = now
  }

  /** Ends both, one way or the other, and reads everything. */
  async #lookAtBooks(): Promise<void> {
    const { consumer, provider } = this.#daemons
    const { random } = this.#options
    await this.#refusesAnother(random.pick(consumer, provider))
    const abrupt = random.chance(0.5)
    if (abrupt) this.#kills += 2
    this.#daemons.base = null
    await Promise.all([this.#load.stop(), ...[consumer, provider].map((side) => (abrupt ? side.kill() : side.stop()))])
    await this.#lookAtVouchers()
    await this.#readBooks()
    this.#options.tell(`checked   ${this.#summary()}`)
  }

  /** Promise 5. */
  async #refusesAnother(side: Side): Promise<void> {
    const another = side.another()
    const told = await another.event('listening').then(
      () => 'it runs',
      (error: unknown) => String(error),
    )
    if (told === 'it runs') await another.stop()
    await another.gone
    this.#holds(told.includes(`(pid ${side.pid}, `) ? [] : [`a second ${side.name} on one folder: ${told}`])
  }

  async #readBooks(): Promise<void> {
    const { folder } = this.#options
    const now = await booksOf(this.#daemons)
    this.#holds(brokenBooks(this.#books, now, this.#bounds()))
    const plain = ['consumer', 'provider'].flatMap((name) => filesWith(`${folder}/${name}`, MARKER))
    this.#holds(plain.map((path) => `a prompt lies in ${path} for everybody to read`))
    this.#books = now
  }

  /** After the storm everything is as if there had been none. */
  async #calm(): Promise<void> {
    const { consumer, provider } = this.#daemons
    await this.#start()
    const before = this.#books
    const until = performance.now() + STUCK_MS
    while (!(await this.#load.once(3)))
      if (performance.now() > until)
        throw new BrokenPromise([`after the storm nothing is answered: ${this.#load.words()}`])
    this.#load.named.clear()
    let answered = 0
    for (let i = 0; i < CALM_REQUESTS; i++) if (await this.#load.once(100)) answered++
    this.#daemons.base = null
    await consumer.stop()
    await provider.stop()
    await this.#lookAtVouchers()
    await this.#readBooks()
    const now = this.#books
    const both = (books: Books | undefined): Set<string> =>
      new Set(books?.kept.filter(({ signed }) => signed === 'both').map(({ id }) => id))
    const [ours, theirs] = [both(now?.consumer), both(now?.provider)]
    const missing = [...this.#load.named].filter((id) => !ours.has(id) || !theirs.has(id))
    this.#holds([
      ...(answered === CALM_REQUESTS ? [] : [`in the calm ${answered} of ${CALM_REQUESTS} requests were answered`]),
      ...(this.#load.named.size === answered ? [] : ['an answer names no transaction']),
      ...missing.map((id) => `${id} was answered in the calm and is not signed by both in both logs`),
      ...this.#unpaid(before, now),
    ])
  }

  /** In the calm, what was billed since is paid to the lamport. */
  #unpaid(before: Pair<Books> | null, now: Pair<Books> | null): string[] {
    if (this.#options.money === null || !before || !now) return []
    const billed = (books: Books): bigint => books.kept.reduce((sum, { cost }) => sum + cost, 0n)
    const more = billed(now.provider) - billed(before.provider)
    const paid = (now.provider.vouchers.held - before.provider.vouchers.held) * 1_000_000n
    // Older debts may be settled by it, too; a lamport is what rounding takes.
    return paid + 1_000_000n < more ? [`in the calm ${more} microlamports were billed and ${paid} paid`] : []
  }

  #bounds(): Bounds {
    const { money } = this.#options
    const price = money?.price ?? 0n
    return {
      deposit: money?.credit ?? 0n,
      crashes: this.#kills,
      window: MAX_WINDOW * price,
      underWay: BigInt(WORKERS) * MAX_REQUEST * price,
    }
  }

  #holds(broken: readonly string[]): void {
    this.#checks++
    if (broken.length > 0) throw new BrokenPromise(broken)
  }

  #summary(): string {
    const { both, receipts, claims, signed, held } = this.#report()
    return `${both} signed by both, ${receipts} receipts and ${claims} claims alone, vouchers ${signed} signed and ${held} held`
  }

  #report(): StormReport {
    const { consumer, provider } = this.#books ?? {}
    const count = (books: Books | undefined, signed: string): number =>
      books?.kept.filter((one) => one.signed === signed).length ?? 0
    const { asked, answered } = this.#load.counts
    return {
      kills: this.#kills,
      asked,
      answered,
      both: count(consumer, 'both'),
      receipts: count(provider, 'provider'),
      claims: count(consumer, 'consumer'),
      signed: consumer?.vouchers.signed ?? 0n,
      held: provider?.vouchers.held ?? 0n,
      checks: this.#checks,
      seconds: (performance.now() - this.#began) / 1000,
      words: this.#load.words(),
      refusals: this.#load.refusals,
    }
  }
}
