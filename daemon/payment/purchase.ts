/**
 * One attempt at one provider as a purchase: keys, reservation, vouchers while tokens come, and at the end a record that
 * both sides sign. A free one goes the same way without a channel.
 *
 * The caller's answer never waits for a record: that is made beside it, and only closing the node waits for it. A record is
 * on the disk before its signature leaves.
 */
import { setImmediate, setTimeout } from 'node:timers/promises'
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { microLamports, NO_COST } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import { newContentKey, sealContentKey } from '../../ledger/content.js'
import { LedgerError } from '../../ledger/errors.js'
import { cost, isFree } from '../../ledger/price.js'
import type { Usage } from '../../ledger/price.js'
import { claim, countersign } from '../../ledger/receipt.js'
import { decodeTransaction } from '../../ledger/transaction.js'
import type { Finish, Transaction } from '../../ledger/transaction.js'
import type { AnswerEvent, AskBody, AskKeys, AskLimits, AskTerms, Offer, Swarm } from '../../swarm/port.js'
import type { Budget, BudgetReservation } from '../budget.js'
import type { KeyPair } from '../crypto.js'
import { codeOf } from '../errors.js'
import { statedAlone } from './answer-evidence.js'
import type { Books } from './books.js'
import { PaymentError } from './errors.js'
import { ceilingOf } from './ceiling.js'
import type { OutgoingMeans, Reserved } from './means.js'
import { dearest, forgivable, maxWindow, promptBound } from './policy.js'
import type { Payer, PayWishes } from './payer.js'
import type { Purse } from './purse.js'
import { draftOf, timesOf, UNKNOWN_RUNTIME } from './statement.js'
import type { Ordered } from './statement.js'
import { Transcript } from './transcript.js'

export interface PurchasesOptions {
  readonly books: Books
  readonly purse: Pick<Purse, 'doubt'>
  readonly payer: Pick<Payer, 'means'>
  readonly budget: Pick<Budget, 'left' | 'reserve'>
  readonly network: Uint8Array
  /** The Noise key of this run: signs as the consumer. */
  readonly keys: KeyPair
  /** x25519: this node's own records are sealed to it. */
  readonly box: Uint8Array
  /** Unix milliseconds. */
  readonly now: () => number
}

export interface PurchaseOrder {
  /** 16 random bytes, for this attempt alone. */
  readonly id: Uint8Array
  readonly swarm: Pick<Swarm, 'ask' | 'countersign'>
  readonly offer: Offer
  readonly body: AskBody
  readonly limits: AskLimits
  /** Name of the API key whose budget it is; null = the owner's. */
  readonly caller: string | null
  /** Absent = as this node is set. */
  readonly pay?: PayWishes | undefined
  readonly signal: AbortSignal
  /** The provider said something that is not so. */
  readonly onLie: (what: string) => void
}

/** The swarm hands out a late receipt within 10 s. */
const LATE_RECEIPT_MS = 11_000

export class Purchases {
  readonly #options: PurchasesOptions

  constructor(options: PurchasesOptions) {
    this.#options = options
  }

  /** Throws like `Swarm.ask`, and `PAYMENT_REQUIRED`, `CHANNEL_*`, `BUDGET_EXCEEDED`, `LEDGER_UNAVAILABLE` before any byte leaves. */
  async *ask(order: PurchaseOrder): AsyncGenerator<AnswerEvent> {
    await this.#options.books.store()
    const { offer } = order
    try {
      for (let again = false; ; again = true) {
        const account = isFree(offer.prices) ? null : await this.#options.payer.means(order)
        const purchase = new Purchase(this.#options, order, account)
        try {
          yield* purchase.run()
          return
        } catch (error) {
          // A parallel request took the room that was there a moment ago: the channel may be filled up once more.
          if (again || purchase.asked || codeOf(error) !== 'CHANNEL_EXHAUSTED') throw error
        }
      }
    } catch (error) {
      if (codeOf(error) === 'PAYMENT_REQUIRED') this.#options.purse.doubt(offer.nodeKey)
      if (!codeOf(error)?.startsWith('STORE_')) throw error
      this.#options.books.fail(error)
      throw PaymentError.LEDGER_UNAVAILABLE(error)
    }
  }
}

class Purchase {
  readonly #options: PurchasesOptions
  readonly #order: PurchaseOrder
  readonly #account: OutgoingMeans | null
  readonly #request: string
  readonly #keys: AskKeys
  readonly #askedAt: number
  readonly #transcript: Transcript
  readonly #lateReceipt: Promise<Uint8Array>
  #onLateReceipt: (receipt: Uint8Array) => void = () => undefined
  #asked = false
  #terms: AskTerms | null = null
  /** Why the reservation could not be written down; null = it was, or is about to be. */
  #forgotten: Error | null = null
  #prompt = 0
  #cached = 0
  #accrued: MicroLamports = NO_COST

  constructor(options: PurchasesOptions, order: PurchaseOrder, account: OutgoingMeans | null) {
    const content = newContentKey()
    this.#options = options
    this.#order = order
    this.#request = b4a.toString(order.id, 'hex')
    this.#account = account
    this.#keys = {
      content,
      forProvider: sealed(content, order.offer.boxKey),
      forConsumer: sealed(content, options.box),
    }
    this.#askedAt = options.now()
    this.#transcript = new Transcript(order.body.kind, 'none')
    this.#lateReceipt = new Promise((resolve) => (this.#onLateReceipt = resolve))
  }

  /** Has anything left this node? */
  get asked(): boolean {
    return this.#asked
  }

  async *run(): AsyncGenerator<AnswerEvent> {
    const { swarm, offer, body, limits, signal } = this.#order
    const ceiling = this.#account ? ceilingOf(this.#order, this.#account, this.#options.budget) : null
    const budget = ceiling === null ? null : this.#options.budget.reserve(ceiling, this.#order.caller)
    let finish: Finish = 'cancelled'
    // Nothing is signed for what a crash could make this node forget; tokens may come before that.
    const reserved = async (): Promise<void> => {
      await budget?.durable().catch((error: unknown) => {
        this.#forgotten = error instanceof Error ? error : new Error(String(error))
        throw error
      })
    }
    try {
      const payment = (await this.#account?.payment(ceiling ?? NO_COST, reserved)) ?? null
      if (ceiling !== null) this.#account?.reserve(this.#request, ceiling)
      const onLateReceipt = this.#onLateReceipt
      this.#asked = true
      const asked = { offer, body, limits: { ...limits, maxCost: ceiling ?? limits.maxCost }, signal }
      for await (const event of swarm.ask({ ...asked, id: this.#order.id, keys: this.#keys, payment, onLateReceipt })) {
        if (this.#forgotten !== null) throw this.#forgotten
        if (event.type === 'done') {
          this.#complete(event)
          finish = event.finish
          this.#options.books.add(this.#conclude(event))
        } else if (event.type === 'terms') {
          this.#agree(event.terms, ceiling ?? NO_COST, reserved)
          continue
        } else this.#follow(event)
        yield event
      }
    } catch (error) {
      finish = finishOf(error)
      if (finish === 'lost') this.#account?.lost()
      throw error
    } finally {
      this.#account?.release(this.#request)
      this.#settle(budget)
      const cut = finish !== 'stop' && finish !== 'length'
      if (cut && this.#transcript.count > 0) this.#options.books.add(this.#salvage(finish))
    }
  }

  /** What is not known yet stays reserved: after a crash it counts as spent. */
  #settle(budget: BudgetReservation | null): void {
    if (!this.#account?.spent) return budget?.settle(this.#accrued)
    this.#account.spent(this.#accrued).then((cost) => budget?.settle(cost), safetyCatch)
  }

  #agree(terms: AskTerms, ceiling: MicroLamports, reserved: Reserved): void {
    const { body, offer } = this.#order
    const prompt = cost(dearest(offer.prices), { input: terms.promptTokens, cached: 0, output: 0 })
    if (terms.promptTokens > promptBound(body)) throw refused(`a prompt of ${terms.promptTokens} tokens`)
    if (terms.limit > ceiling) throw refused(`up to ${terms.limit} microlamports where ${ceiling} were offered`)
    if (terms.ahead > prompt) throw refused(`${terms.ahead} microlamports ahead for a prompt of ${prompt}`)
    if (terms.window > maxWindow(offer.prices)) throw refused(`a window of ${terms.window} microlamports`)
    this.#terms = terms
    this.#prompt = terms.promptTokens
    this.#cached = terms.cachedTokens
    const agreed = { limit: microLamports(terms.limit), window: microLamports(terms.window) }
    this.#account?.agree(this.#request, { ...agreed, ahead: microLamports(terms.ahead) }, reserved)
  }

  #follow(event: Exclude<AnswerEvent, { type: 'done' | 'terms' }>): void {
    const now = this.#options.now()
    if (event.type === 'prefill') this.#count(event.total, event.cached)
    else if (event.type === 'tokens') {
      this.#transcript.add(event, now)
      if (event.tokens.length > 0) this.#accrue()
    } else if (event.type === 'vectors') this.#transcript.addVectors(event.vectors, now)
  }

  #complete({ usage }: Extract<AnswerEvent, { type: 'done' }>): void {
    if (usage.prompt > 0) this.#count(usage.prompt, usage.cached)
    this.#accrue()
  }

  /** The provider's word, within what it agreed to. */
  #count(prompt: number, cached: number): void {
    const { promptTokens } = this.#terms ?? { promptTokens: prompt }
    if (prompt > promptTokens) throw refused(`a prompt of ${prompt} tokens after ${promptTokens} were agreed`)
    this.#prompt = prompt
    this.#cached = Math.min(cached, prompt)
  }

  /** Everything that is here by now is owed. */
  #accrue(): void {
    if (!this.#account) return
    const owed = cost(this.#order.offer.prices, this.#usage())
    const more = owed - this.#accrued
    if (more <= 0n) return
    this.#account.deliver(this.#request, microLamports(more))
    this.#accrued = owed
  }

  #usage(): Usage {
    const output = this.#order.body.kind === 'embed' ? 0 : this.#transcript.count
    return { input: this.#prompt - this.#cached, cached: this.#cached, output }
  }

  async #conclude(event: Extract<AnswerEvent, { type: 'done' }>): Promise<void> {
    const cumulativeAtMost = this.#cumulativeAtMost()
    // The caller's last bytes go first.
    await setImmediate()
    await this.#record(event.receipt, event.finish, event.stopText, cumulativeAtMost)
  }

  /** A cut answer: the provider's receipt may still come; else this side's claim stands alone. */
  async #salvage(finish: Finish): Promise<void> {
    const cumulativeAtMost = this.#cumulativeAtMost()
    const { closing } = this.#options.books
    const over = finish === 'lost' || closing.aborted
    const wait = new AbortController()
    const signal = AbortSignal.any([wait.signal, closing])
    const late = over
      ? null
      : await Promise.race([
          this.#lateReceipt,
          setTimeout(LATE_RECEIPT_MS, null, { signal, ref: false }).catch(() => null),
        ])
    wait.abort()
    await this.#record(late, finish, null, cumulativeAtMost)
  }

  async #record(
    receipt: Uint8Array | null,
    finish: Finish,
    stopText: string | null,
    cumulativeAtMost: MicroLamports,
  ): Promise<void> {
    const { books, keys, now } = this.#options
    const { swarm, offer } = this.#order
    const times = timesOf(this.#askedAt, this.#transcript.firstAt, now())
    const response = this.#transcript.upTo(this.#transcript.count, finish, stopText)
    const { draft, ciphertext } = draftOf(this.#ordered(), {
      response,
      usage: this.#usage(),
      cost: this.#accrued,
      cumulative: this.#account?.accrued ?? NO_COST,
      times,
      runtime: UNKNOWN_RUNTIME,
      stated: statedAlone(this.#keys.content, response),
    })
    const agreed = receipt && this.#countersigned(receipt, { ...draft, cumulativeAtMost }, finish)
    const transaction = agreed ?? claim(draft, keys.secretKey)
    const store = await books.store()
    await store.append({ role: 'consumer', times, transaction, ciphertext })
    const signature = agreed?.consumerSignature
    if (signature) swarm.countersign(offer.nodeKey, this.#order.id, signature)
  }

  /** null, and the provider's name suffers, when the receipt is not what was seen. */
  #countersigned(bytes: Uint8Array, seen: Parameters<typeof countersign>[1], finish: Finish): Transaction | null {
    try {
      return countersign(decodeTransaction(bytes), seen, this.#options.keys.secretKey)
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error
      // Where a stream was cut, the two sides may honestly differ in the last piece.
      const honest = error.code === 'RECEIPT_MISMATCH' && finish !== 'stop' && finish !== 'length'
      if (!honest) this.#order.onLie(error.message)
      return null
    }
  }

  #ordered(): Ordered {
    const { offer, body, limits } = this.#order
    return {
      id: this.#order.id,
      body,
      maxTokens: limits.maxTokens,
      keys: this.#keys,
      network: this.#options.network,
      modelRoot: offer.modelRoot,
      consumer: this.#options.keys.publicKey,
      provider: offer.nodeKey,
      prices: offer.prices,
      channel: this.#account?.id ?? null,
    }
  }

  #cumulativeAtMost(): MicroLamports {
    if (!this.#account) return NO_COST
    return microLamports(this.#account.accrued + forgivable(this.#order.offer.prices, this.#account.paid))
  }
}

function sealed(contentKey: Uint8Array, boxKey: Uint8Array): Uint8Array {
  const key = sealContentKey(contentKey, boxKey)
  if (key.kind === 'destroyed') throw LedgerError.BAD_SEAL('a new content key')
  return key.sealed
}

/** How this side names an end that was not `done`. */
function finishOf(error: unknown): Finish {
  const code = codeOf(error)
  if (code === 'CANCELLED' || code === 'DEADLINE_EXCEEDED') return 'cancelled'
  return code === 'PEER_LOST' ? 'lost' : 'failed'
}

function refused(what: string): PaymentError {
  return PaymentError.TERMS_REFUSED(`The provider wants ${what}; it was left at once.`)
}
