/**
 * One ask as a sale: terms, vouchers while tokens flow, and the receipt at its end. A free one goes the same way without a
 * channel. Nothing is delivered that the channel's rules do not allow, and no receipt leaves before it is on the disk.
 */
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import { microLamports, NO_COST } from '../../ledger/amount.js'
import type { MicroLamports } from '../../ledger/amount.js'
import { termsOf } from '../../ledger/channel.js'
import { cost, isFree } from '../../ledger/price.js'
import type { Usage } from '../../ledger/price.js'
import { complete } from '../../ledger/receipt.js'
import { encodeTransaction } from '../../ledger/transaction.js'
import type { Finish, Statement, Transaction } from '../../ledger/transaction.js'
import type { AskUsage, IncomingAsk } from '../../swarm/port.js'
import type { KeyPair } from '../crypto.js'
import { codeOf } from '../errors.js'
import type { ModelInfo } from '../engine/port.js'
import { AnswerEvidence } from './answer-evidence.js'
import type { Books } from './books.js'
import type { Earnings } from './earnings.js'
import { PaymentError } from './errors.js'
import type { IncomingOrders } from './orders.js'
import type { IncomingMeans } from './means.js'
import { split } from './pieces.js'
import type { Piece } from './pieces.js'
import { dearest, maxWindow, promptBound, WINDOW_TOKENS } from './policy.js'
import { draftOf, timesOf } from './statement.js'
import type { Till } from './till.js'
import { Transcript } from './transcript.js'

export interface SalesOptions {
  readonly books: Books
  readonly till: Till
  /** null = orders are not taken: there is no chain. */
  readonly orders?: IncomingOrders | null
  readonly earnings: Earnings
  readonly network: Uint8Array
  /** Signs receipts: the node key. */
  readonly keys: KeyPair
  /** Unix milliseconds. */
  readonly now: () => number
  readonly patience?: Patience | undefined
  /** A peer signed what is not so. */
  readonly onLie?: ((peer: Uint8Array, what: string) => void) | undefined
  /** Keeps what is under the token root for the audit window. */
  readonly keep: (statement: Statement, contentKey: Uint8Array, positions: Uint8Array) => Promise<void>
}

type Served = Pick<ModelInfo, 'runtime' | 'template'>

/** How long a provider waits for a voucher, milliseconds. */
export interface Patience {
  /** For what is paid before anything is computed. */
  readonly ahead: number
  /** As long as the swarm waits for a reader that takes nothing: it cannot pay for what it has not seen. */
  readonly window: number
}

const PATIENCE: Patience = { ahead: 30_000, window: 120_000 }

export class Sales {
  readonly #options: SalesOptions

  constructor(options: SalesOptions) {
    this.#options = options
  }

  /** Throws `PAYMENT_REQUIRED`, `VOUCHER_*`, `LEDGER_UNAVAILABLE`: nothing was promised yet. */
  async open(ask: IncomingAsk, model: Served): Promise<Sale> {
    await this.#options.books.store()
    return new Sale(this.#options, ask, model, await this.#account(ask))
  }

  async #account(ask: IncomingAsk): Promise<IncomingMeans | null> {
    const { offer, payment, peer, limits } = ask
    const { till, orders } = this.#options
    if (isFree(offer.prices)) return null
    if (payment?.kind === 'channel') return till.open(payment, peer, limits.maxCost ?? 0n)
    if (payment && orders) return orders.take(ask, payment)
    if (payment) throw PaymentError.PAYMENT_REQUIRED('This provider takes no orders, because it has no chain.')
    throw PaymentError.PAYMENT_REQUIRED('This provider wants to be paid: ask again with a channel (--credit LAMPORTS).')
  }
}

export class Sale {
  readonly #options: SalesOptions
  readonly #ask: IncomingAsk
  readonly #model: Served
  readonly #account: IncomingMeans | null
  readonly #request: string
  readonly #transcript: Transcript
  /** The engine reports to it. */
  readonly evidence: AnswerEvidence
  readonly #askedAt: number
  #index: number
  #prompt = 0
  #cached = 0
  #promptCost: MicroLamports = NO_COST
  #delivered: MicroLamports = NO_COST
  /** Output positions that the reservation pays for. */
  #allowance = Infinity
  #reserved = false
  #prompted = false
  #ended = false

  constructor(options: SalesOptions, ask: IncomingAsk, model: Served, account: IncomingMeans | null) {
    this.#options = options
    this.#ask = ask
    this.#model = model
    this.evidence = new AnswerEvidence(ask.keys.content, templateOf(ask, model))
    this.#account = account
    this.#request = `${b4a.toString(ask.peer, 'hex')}/${b4a.toString(ask.id, 'hex')}`
    this.#transcript = new Transcript(ask.body.kind)
    this.#askedAt = options.now()
    this.#index = ask.body.kind === 'generate' ? ask.body.resume.length : 0
  }

  get paid(): boolean {
    return this.#account !== null
  }

  /**
   * The prompt is counted: says the terms, and resolves when computing may begin. `maxOutput`: positions that the answer can
   * have at most. Throws `COST_LIMIT`, `CHANNEL_*`, `PAYMENT_REQUIRED`.
   */
  async admit(promptTokens: number, cachedTokens: number, maxOutput: number): Promise<void> {
    const { offer, limits, signal } = this.#ask
    this.#count(promptTokens, cachedTokens)
    const account = this.#account
    if (!account) return
    const prices = dearest(offer.prices)
    const terms = termsOf({
      prices,
      promptTokens,
      maxOutput,
      stranger: account.stranger,
      windowTokens: WINDOW_TOKENS,
      maxWindow: maxWindow(offer.prices),
    })
    const most = least(terms.limit, limits.maxCost ?? terms.limit, account.left)
    const first = cost(prices, { input: promptTokens, cached: 0, output: maxOutput > 0 ? 1 : 0 })
    if (first > (limits.maxCost ?? first)) throw tooDear(promptTokens)
    if (first > most) {
      throw PaymentError.PAYMENT_REQUIRED(
        `The channel has ${account.left} microlamports left; a first token costs ${first}.`,
      )
    }
    const agreed = { limit: most, window: least(terms.window, most), ahead: least(terms.ahead, most) }
    account.reserve(this.#request, agreed, offer.prices)
    this.#reserved = true
    const { output } = offer.prices
    if (output > 0n) this.#allowance = Number((most - this.#promptCost) / output)
    this.#ask.terms({ promptTokens, cachedTokens, ...agreed })
    while (!account.mayStart(this.#request)) await account.payment(signal, this.#patience.ahead)
  }

  /** Before an embedding nobody has counted its tokens: the terms are made of the most there can be. */
  async admitInputs(): Promise<void> {
    if (this.#account) await this.admit(promptBound(this.#ask.body), 0, 0)
  }

  /**
   * Sends what the channel allows and waits for vouchers in between. False: the reservation is used up, and the answer ends
   * as if it had reached its length. Throws `PAYMENT_REQUIRED`, or the ask's end.
   */
  async tokens(piece: Piece): Promise<boolean> {
    let rest = piece
    for (;;) {
      const left = this.#allowance - this.#transcript.count
      const room = await this.#take(Math.min(rest.tokens.length, left))
      const [now, later] = split(rest, room)
      await this.#send(now)
      if (!later) return this.#transcript.count < this.#allowance
      if (this.#transcript.count >= this.#allowance) return false
      rest = later
    }
  }

  /** `promptTokens`: what was counted at last. */
  async vectors(vectors: readonly Float32Array[], promptTokens: number): Promise<void> {
    this.#count(promptTokens, 0)
    if (this.#account && promptTokens > promptBound(this.#ask.body)) throw tooDear(promptTokens)
    await this.#prompting()
    for (const [index, vector] of vectors.entries()) {
      this.#transcript.addVectors([vector], this.#options.now())
      await this.#ask.vectors(index, [vector])
    }
  }

  /** The answer is complete: the receipt goes out with it. Throws the ask's end, if that came first. */
  async finish(finish: 'stop' | 'length', stopText: string | null, thought: number): Promise<void> {
    await this.#prompting()
    await this.#ask.flushed()
    const receipt = await this.#issue(this.#transcript.count, finish, stopText)
    const output = this.#ask.body.kind === 'embed' ? 0 : this.#transcript.count
    const usage: AskUsage = { prompt: this.#prompt, cached: this.#cached, output, thought }
    this.#ask.done(finish, stopText, usage, encodeTransaction(receipt.transaction))
    this.#options.books.add(this.#conclude(receipt))
  }

  /**
   * It ended otherwise; `end` says so to the peer. What was delivered is charged, which before the first token is nothing,
   * and the receipt follows.
   */
  async cut(end: () => void): Promise<void> {
    const { signal } = this.#ask
    // What the engine made before it broke belongs to the consumer, who may go on elsewhere from there.
    if (!signal.aborted) await this.#ask.flushed().catch(safetyCatch)
    const { delivered } = this.#ask
    end()
    if (this.#ended) return
    const reason = signal.aborted ? codeOf(signal.reason) : null
    const finish: Finish = !signal.aborted ? 'failed' : reason === 'PEER_LOST' ? 'lost' : 'cancelled'
    const charged = this.#chargeable(Math.min(delivered.count, this.#transcript.count), delivered.taken)
    if (charged === 0) return this.#giveUp()
    const receipt = await this.#issue(charged, finish, null)
    this.#ask.receipt(encodeTransaction(receipt.transaction))
    this.#options.books.add(this.#conclude(receipt))
  }

  get #patience(): Patience {
    return this.#options.patience ?? PATIENCE
  }

  #count(promptTokens: number, cachedTokens: number): void {
    this.#prompt = promptTokens
    this.#cached = cachedTokens
    this.#promptCost = this.#costOf(0)
  }

  /** Waits until at least one of `wanted` tokens may go, and counts as many as may as delivered: parallel requests take turns. */
  async #take(wanted: number): Promise<number> {
    while (wanted > 0) {
      const room = this.#room(wanted)
      if (room > 0) {
        this.#deliver(cost(this.#ask.offer.prices, { input: 0, cached: 0, output: room }))
        return room
      }
      await this.#account?.payment(this.#ask.signal, this.#patience.window)
    }
    return 0
  }

  /** The prompt of an answer without a token. */
  async #prompting(): Promise<void> {
    if (this.#prompted) return
    while (this.#account && this.#account.headroom(this.#request) < this.#promptCost) {
      await this.#account.payment(this.#ask.signal, this.#patience.window)
    }
    this.#deliver(NO_COST)
  }

  #room(wanted: number): number {
    const { output } = this.#ask.offer.prices
    if (!this.#account) return wanted
    const left = this.#account.headroom(this.#request) - (this.#prompted ? NO_COST : this.#promptCost)
    if (left < 0n) return 0
    const room = output === 0n ? BigInt(wanted) : left / output
    return room < BigInt(wanted) ? Number(room) : wanted
  }

  /** The prompt's cost goes with the first of it. */
  #deliver(amount: MicroLamports): void {
    const whole = this.#prompted ? amount : microLamports(amount + this.#promptCost)
    this.#prompted = true
    if (!this.#reserved) return
    this.#account?.deliver(this.#request, whole)
    this.#delivered = microLamports(this.#delivered + whole)
  }

  async #send(piece: Piece): Promise<void> {
    const index = this.#index
    this.#index += piece.tokens.length
    this.#transcript.add(piece, this.#options.now())
    await this.#ask.tokens({ ...piece, index })
  }

  #usage(output: number): Usage {
    const isText = this.#ask.body.kind === 'generate'
    return { input: this.#prompt - this.#cached, cached: this.#cached, output: isText ? output : 0 }
  }

  #costOf(output: number): MicroLamports {
    return cost(this.#ask.offer.prices, this.#usage(output))
  }

  /** What the consumer says it took, if that is less than left here and may be waived. */
  #chargeable(count: number, taken: number | null): number {
    if (taken === null || taken >= count) return count
    const spared = microLamports(this.#costOf(count) - (taken === 0 ? NO_COST : this.#costOf(taken)))
    return !this.#account || this.#account.maySpare(spared, this.#ask.offer.prices) ? taken : count
  }

  #giveUp(): void {
    this.#ended = true
    if (this.#reserved) this.#account?.release(this.#request, this.#delivered)
    this.#reserved = false
  }

  async #issue(count: number, finish: Finish, stopText: string | null): Promise<Issued> {
    const { books, keys, network, now } = this.#options
    const ask = this.#ask
    this.#ended = true
    const response = this.#transcript.upTo(count, finish, stopText)
    const { stated, positions } = await this.evidence.of(response)
    const owed = this.#costOf(count)
    const cumulative = this.#bill(owed)
    const times = timesOf(this.#askedAt, this.#transcript.firstAt, now())
    const { draft, ciphertext } = draftOf(
      {
        id: ask.id,
        body: ask.body,
        maxTokens: ask.limits.maxTokens,
        keys: ask.keys,
        network,
        modelRoot: ask.offer.modelRoot,
        consumer: ask.peer,
        provider: ask.offer.nodeKey,
        prices: ask.offer.prices,
        channel: this.#account?.id ?? null,
      },
      {
        response,
        usage: this.#usage(count),
        cost: owed,
        cumulative,
        times,
        runtime: this.#model.runtime,
        stated,
      },
    )
    const store = await books.store()
    try {
      const transaction = await store.issue(draft, keys.secretKey)
      await this.#account?.issued?.(transaction.statement)
      this.#options.earnings.add(owed)
      return { transaction, ciphertext, positions }
    } catch (error) {
      books.fail(error)
      throw PaymentError.LEDGER_UNAVAILABLE(error)
    }
  }

  #bill(owed: MicroLamports): MicroLamports {
    if (!this.#account || !this.#reserved) return NO_COST
    this.#reserved = false
    return this.#account.bill(this.#request, owed, this.#delivered)
  }

  /** Both signatures if the consumer's comes, else what there is. */
  async #conclude({ transaction, ciphertext, positions }: Issued): Promise<void> {
    const { books, keep, onLie } = this.#options
    if (positions) books.add(keep(transaction.statement, this.#ask.keys.content, positions))
    const signature = await this.#ask.countersigned
    const signed = signedBy(transaction, signature)
    if (signature && !signed.consumerSignature) {
      onLie?.(this.#ask.peer, 'a signature under a receipt is not that of the key that asked')
    }
    const store = await books.store()
    const { times } = transaction.statement
    await store.append({ role: 'provider', times, transaction: signed, ciphertext })
  }
}

interface Issued {
  readonly transaction: Transaction
  readonly ciphertext: Uint8Array
  readonly positions: Uint8Array | null
}

/** A signature that does not fit is none. */
function signedBy(receipt: Transaction, signature: Uint8Array | null): Transaction {
  if (!signature) return receipt
  try {
    return complete(receipt, signature)
  } catch (error) {
    if (codeOf(error) === 'RECEIPT_BAD_SIGNATURE') return receipt
    throw error
  }
}

function tooDear(promptTokens: number): PaymentError {
  return PaymentError.COST_LIMIT(`The prompt's ${promptTokens} tokens use up the cost ceiling of this request.`)
}

function least(first: bigint, ...others: readonly bigint[]): MicroLamports {
  return microLamports(others.reduce((a, b) => (b < a ? b : a), first))
}

/** Text and token ids are computed as they are: no template has a part in them. */
function templateOf({ body }: IncomingAsk, { template }: Served): string | null | undefined {
  return template === undefined || body.kind === 'embed' || body.prompt.kind === 'chat' ? template : null
}
