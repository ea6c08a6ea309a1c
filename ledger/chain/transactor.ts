/**
 * One transaction from its instructions to its end: rehearsed unsigned, signed, into the outbox, sent, watched. The only
 * way by which swarmd's money moves.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ComputeBudgetProgram } from '@solana/web3.js'
import type { TransactionInstruction } from '@solana/web3.js'
import type { KeyPair } from '../crypto.js'
import { latestBlockhash, recentPriorityFee, rehearse } from './calls.js'
import { ChainError } from './errors.js'
import type { Outbox } from './outbox.js'
import { isOpen } from './outbox-states.js'
import type { OutboxEntry } from './outbox-states.js'
import type { Rpc } from './rpc.js'
import { compile, sign, unsignedWire } from './sign.js'

const POLL_MS = 400
/** A little room above what the rehearsal took. */
const UNITS_MARGIN = 1.2
const UNITS_EXTRA = 1_000

export interface Order {
  /** Names this transaction in the outbox: the same intention has the same name, and is not carried out twice. */
  readonly id: string
  readonly purpose: Readonly<Record<string, string>>
  readonly instructions: readonly TransactionInstruction[]
  readonly payer: KeyPair
  /** Further signers. */
  readonly signers?: readonly KeyPair[]
  /** Made anew where the outbox has it as final: the chain does not show it, so a node has lied, and twice does no harm. */
  readonly again?: boolean
}

export interface TransactorOptions {
  readonly rpc: Rpc
  readonly outbox: Outbox
  /** Microlamports per compute unit that are always offered; 0 = none. */
  readonly priorityFee?: bigint
  /** Offer what others paid of late for the same accounts, up to this; 0 = do not ask. */
  readonly maxPriorityFee?: bigint
  readonly delay?: (ms: number) => Promise<unknown>
}

export class Transactor {
  readonly #rpc: Rpc
  readonly #outbox: Outbox
  readonly #priorityFee: bigint
  readonly #maxPriorityFee: bigint
  readonly #delay: (ms: number) => Promise<unknown>

  constructor(options: TransactorOptions) {
    const { rpc, outbox, priorityFee = 0n, maxPriorityFee = 0n, delay = (ms) => sleep(ms) } = options
    this.#rpc = rpc
    this.#outbox = outbox
    this.#priorityFee = priorityFee
    this.#maxPriorityFee = maxPriorityFee
    this.#delay = delay
  }

  /**
   * Rehearses and signs; durable when it resolves. Throws `TX_REJECTED`, `INSUFFICIENT_FUNDS`: then nothing was signed.
   * An order whose id is in the outbox already is not prepared again, unless that one has failed (or see `again`).
   */
  async prepare(order: Order): Promise<OutboxEntry> {
    const known = this.#outbox.get(order.id)
    const over = known?.phase === 'failed' || (known?.phase === 'finalized' && order.again === true)
    if (known && !over) return known
    const recent = await latestBlockhash(this.#rpc)
    const plain = compile(order.payer.publicKey, order.instructions, recent)
    let units: number
    try {
      units = (await rehearse(this.#rpc, unsignedWire(plain))).units
    } catch (error) {
      // The chain says that there is nothing left to do.
      if (known?.phase === 'finalized' && error instanceof ChainError && error.code === 'TX_REJECTED') return known
      throw error
    }
    const priced = compile(
      order.payer.publicKey,
      [...(await this.#price(units, order.instructions)), ...order.instructions],
      recent,
    )
    const { signature, wire, lastValidBlockHeight } = sign(priced, [order.payer, ...(order.signers ?? [])])
    const { id, purpose } = order
    // Somebody else may have prepared the same meanwhile: then that one counts.
    const raced = this.#outbox.get(id)
    if (raced && raced !== known) return raced
    if (known) await this.#outbox.forget(id)
    const text = Buffer.from(wire).toString('base64')
    return this.#outbox.prepare({ id, purpose, signature, wire: text, lastValidBlockHeight })
  }

  /** Until it is confirmed; with `final`, until no fork can take it back. Throws what it failed with. */
  async finish(id: string, final = false): Promise<OutboxEntry> {
    for (;;) {
      await this.#outbox.tick()
      const entry = this.#outbox.get(id)
      if (!entry) throw ChainError.BLOCKHASH_EXPIRED()
      if (entry.phase === 'finalized' || (entry.phase === 'confirmed' && !final)) return entry
      if (!isOpen(entry)) throw failureOf(entry)
      await this.#delay(POLL_MS)
    }
  }

  async perform(order: Order): Promise<OutboxEntry> {
    const { id } = await this.prepare(order)
    return this.finish(id)
  }

  async #price(units: number, instructions: readonly TransactionInstruction[]): Promise<TransactionInstruction[]> {
    const price = await this.#unitPrice(instructions)
    if (price === 0n) return []
    const limit = Math.min(1_400_000, Math.ceil(units * UNITS_MARGIN) + UNITS_EXTRA)
    return [
      ComputeBudgetProgram.setComputeUnitLimit({ units: limit }),
      ComputeBudgetProgram.setComputeUnitPrice({ microLamports: price }),
    ]
  }

  async #unitPrice(instructions: readonly TransactionInstruction[]): Promise<bigint> {
    if (this.#maxPriorityFee === 0n) return this.#priorityFee
    const keys = instructions.flatMap(({ keys: metas }) => metas.filter(({ isWritable }) => isWritable))
    const recent = await recentPriorityFee(
      this.#rpc,
      keys.map(({ pubkey }) => pubkey.toBase58()),
    )
    const asked = recent > this.#priorityFee ? recent : this.#priorityFee
    return asked < this.#maxPriorityFee ? asked : this.#maxPriorityFee
  }
}

function failureOf({ failure }: OutboxEntry): ChainError {
  return failure?.code === 'TX_REJECTED' ? ChainError.TX_REJECTED(failure.rejection) : ChainError.BLOCKHASH_EXPIRED()
}
