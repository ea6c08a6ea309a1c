/**
 * The embedded chain as the nodes of a cluster show it. The chain by itself is final at once and never forks; here what has
 * landed is confirmed first and final a few slots later, and for a while nodes may be led along a fork that is then dropped.
 *
 * A fork is a second chain, opened from a copy of the first one's journal: balances, accounts, rehearsals and statuses on it
 * are consistent with what was sent to it, as on an RPC node that follows a minority fork. When it is dropped, everything
 * that was confirmed on it has disappeared, and lands only if somebody sends it again (or `join(true)`: a leader of the main
 * chain had it, too). The money that counts is the main chain's.
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { EmbeddedChain } from '../../ledger/chain/embedded/chain.js'
import { answer } from '../../ledger/chain/embedded/dispatch.js'
import { startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import type { RunningChain } from '../../ledger/chain/embedded/start.js'

/** Slots of 400 ms until what has landed is final: 32 on a real cluster, few here, so that finality comes in seconds. */
const FINAL_SLOTS = 4
/** A blockhash is good for 150 slots of 400 ms; after this one none that was given out before is. */
const EXPIRY_MS = 61_000
/** The chain begins behind the daemons' clocks: with each `expire` it would else be ahead, and what it dates in their future. */
const BEHIND_MS = 6 * 3_600_000

interface Fork {
  readonly chain: EmbeddedChain
  /** The slot at which it left the main chain. */
  readonly slot: number
  /** What was sent to it, in order. */
  readonly wires: Uint8Array[]
}

export class ForkingChain {
  readonly main: EmbeddedChain
  readonly #running: RunningChain
  readonly #folder: string
  readonly #clock: { ahead: number }
  #fork: Fork | null = null
  #forks = 0

  private constructor(running: RunningChain, folder: string, clock: { ahead: number }) {
    this.#running = running
    this.main = running.chain
    this.#folder = folder
    this.#clock = clock
  }

  /** With swarmd's program, in an empty folder. */
  static async open(folder: string): Promise<ForkingChain> {
    const clock = { ahead: -BEHIND_MS }
    const now = (): number => Date.now() + clock.ahead
    return new ForkingChain(await startSwarmdChain({ folder: join(folder, 'main'), port: 0, now }), folder, clock)
  }

  get genesisHash(): string {
    return this.#running.genesisHash
  }

  get faucet(): Uint8Array {
    return this.#running.faucet.publicKey
  }

  get forked(): boolean {
    return this.#fork !== null
  }

  /** Every blockhash that was given out is too old from here on: what is not on the chain will never be. */
  expire(): void {
    this.#clock.ahead += EXPIRY_MS
  }

  /** From now on `onFork` answers see the fork alone; the main chain goes on beside it. */
  async fork(): Promise<void> {
    if (this.#fork) return
    await this.main.durable()
    const folder = join(this.#folder, `fork-${++this.#forks}`)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    copyFileSync(join(this.#folder, 'main', 'chain'), join(folder, 'chain'))
    const chain = await EmbeddedChain.open({ folder, now: () => Date.now() + this.#clock.ahead })
    this.#fork = { chain, slot: this.main.clock.slot(), wires: [] }
  }

  /** What this program has on the fork; nothing without one. */
  onFork(program: Uint8Array): ReturnType<EmbeddedChain['accountsOf']> {
    return this.#fork?.chain.accountsOf(program) ?? []
  }

  /** The fork is dropped. `again`: what landed on it lands on the main chain as well, as far as it still can. */
  async join(again: boolean): Promise<void> {
    const fork = this.#fork
    if (!fork) return
    this.#fork = null
    if (again) for (const wire of fork.wires) this.main.send(wire, false)
    await this.main.durable()
    await fork.chain.close()
  }

  /** JSON-RPC in and out: one request, no batches. */
  async answer(text: string, method: string, params: readonly unknown[], onFork: boolean): Promise<string> {
    const fork = onFork ? this.#fork : null
    const { chain } = fork ?? { chain: this.main }
    if (fork && method === 'sendTransaction') fork.wires.push(Buffer.from(String(params[0]), 'base64'))
    const answered = (await answer(chain, text)) ?? ''
    const final = (fork?.slot ?? chain.clock.slot()) - FINAL_SLOTS
    if (method === 'getSignatureStatuses') return rewritten(answered, (value) => levels(value, final))
    const wanted = JSON.stringify(params).includes('"finalized"')
    const heights = method === 'getBlockHeight' || method === 'getSlot'
    return heights && wanted ? rewritten(answered, () => final) : answered
  }

  async close(): Promise<void> {
    await this.#fork?.chain.close()
    this.#fork = null
    await this.#running.close()
  }
}

/** Every answer to getSignatureStatuses, with what is not final yet as confirmed. */
function levels(result: unknown, final: number): unknown {
  const { value, ...rest } = result as { readonly value: readonly (Readonly<Record<string, unknown>> | null)[] }
  const level = (slot: unknown): string => (Number(slot) <= final ? 'finalized' : 'confirmed')
  return {
    ...rest,
    value: value.map((status) => status && { ...status, confirmationStatus: level(status['slot']) }),
  }
}

/** An answer with another result; errors stay as they are. */
export function rewritten(text: string, change: (result: unknown) => unknown): string {
  const message = JSON.parse(text) as Readonly<Record<string, unknown>>
  return 'result' in message ? JSON.stringify({ ...message, result: change(message['result']) }) : text
}
