/** Payers and providers of orders over the embedded chain with a clock of its own, and what is left of each after a crash. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Answered } from '../../daemon/chain/incoming-order.js'
import { bytesOf, openLink } from '../../daemon/chain/link.js'
import type { ChainLink } from '../../daemon/chain/link.js'
import { OrderBook } from '../../daemon/chain/order-book.js'
import { OrderDesk } from '../../daemon/chain/order-desk.js'
import { OrderPurse } from '../../daemon/chain/order-purse.js'
import { randomBytes, signKeyPair } from '../../daemon/crypto.js'
import type { KeyPair } from '../../daemon/crypto.js'
import { PaymentError } from '../../daemon/payment/errors.js'
import type { IncomingMeans } from '../../daemon/payment/means.js'
import type { ByOrder, OrderedAsk, OrderedAttempt, OrderWishes } from '../../daemon/payment/orders.js'
import { lamports, microLamports, NO_COST } from '../../ledger/amount.js'
import { EMBEDDED_PROGRAM, startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import { ORDER } from '../../ledger/chain/layout/accounts.js'
import type { OrderAccount } from '../../ledger/chain/layout/accounts.js'
import { price } from '../../ledger/price.js'
import type { AskPayment } from '../../swarm/port.js'
import { offer as sampleOffer } from './consumer.js'
import { bodyOf, shownBy } from './direct-line.js'

export const SOL = 1_000_000_000n
export const SIGNATURE = 5_000n
export const START = 1_800_000_000
/** A lamport a token. */
export const PRICES = { input: price(1_000_000n), cached: price(1_000_000n), output: price(1_000_000n) }
export const CEILING = microLamports(5_000_000_000n)

export interface Side {
  readonly link: ChainLink
  readonly book: OrderBook
  readonly desk: OrderDesk
  readonly purse: OrderPurse
  readonly node: KeyPair
  /** What could not be done, and what the owner was told. */
  readonly failures: unknown[]
  readonly told: string[]
  balance(): bigint
  /** As after kill -9: nothing is left but the disk. */
  killed(): Promise<Side>
}

export interface OrderScene {
  readonly payer: Side
  readonly provider: Side
  another(coins?: bigint): Promise<Side>
  /** Another provider, registered. */
  anotherProvider(): Promise<Side>
  wait(seconds: number): void
  /** All that are on the chain. */
  orders(): readonly OrderAccount[]
  rent(): bigint
}

export async function orderScene(t: TestContext): Promise<OrderScene> {
  let ms = START * 1000
  const now = (): number => ms
  const { chain, close, url, genesisHash } = await startSwarmdChain({ folder: null, port: 0, now })
  t.after(close)
  const settings = {
    urls: [url],
    program: EMBEDDED_PROGRAM,
    deposit: lamports(SOL),
    grace: 86_400n,
    leastGrace: 7_200n,
  }
  const running = new Set<() => Promise<void>>()
  t.after(async () => {
    for (const end of running) await end()
  })
  const open = async (dataDir: string, wallet: KeyPair, node: KeyPair): Promise<Side> => {
    const link = await openLink({ dataDir, settings, genesis: bytesOf(genesisHash), wallet, now })
    const book = await OrderBook.open(dataDir)
    const failures: unknown[] = []
    const told: string[] = []
    const failed = (error: unknown): void => void failures.push(error)
    const words = {
      refusal: (message: string) => PaymentError.NO_MEANS(message),
      wrongChain: (error: Error) => error.message,
      poor: (error: Error) => Promise.resolve(error.message),
    }
    const end = async (): Promise<void> => {
      running.delete(end)
      await link.outbox.close()
      await book.close()
    }
    running.add(end)
    return {
      link,
      book,
      desk: new OrderDesk({ link, book, failed, complain: (message) => told.push(message), now }),
      purse: new OrderPurse({ link, book, wallet, words, ended: () => undefined, failed, now }),
      node,
      failures,
      told,
      balance: () => chain.account(wallet.publicKey)?.lamports ?? 0n,
      async killed() {
        await end()
        return open(dataDir, wallet, node)
      },
    }
  }
  const another = async (coins = SOL): Promise<Side> => {
    const dataDir = await mkdtemp(join(tmpdir(), 'swarmd-orders-'))
    t.after(() => rm(dataDir, { recursive: true, force: true }))
    const wallet = signKeyPair(randomBytes(32))
    chain.airdrop(wallet.publicKey, coins)
    return open(dataDir, wallet, signKeyPair(randomBytes(32)))
  }
  const anotherProvider = async (): Promise<Side> => {
    const side = await another()
    const { client } = side.link
    await client.register(side.node, new Uint8Array(32).fill(8), client.address, '1')
    return side
  }
  const accounts = (): readonly { readonly lamports: bigint; readonly data: Uint8Array }[] =>
    chain
      .accountsOf(bytesOf(EMBEDDED_PROGRAM))
      .map(({ account }) => account)
      .filter(({ data }) => data[0] === ORDER.kind)
  return {
    payer: await another(),
    provider: await anotherProvider(),
    another,
    anotherProvider,
    wait: (seconds) => void (ms += seconds * 1000),
    orders: () => accounts().map(({ data }) => ORDER.decode(data)),
    rent: () => {
      const [one] = accounts()
      return one ? one.lamports - ORDER.decode(one.data).maxCost : assert.fail('there is no order')
    },
  }
}

const WISHES: OrderWishes = { deadlineSeconds: null, minReputation: lamports(0n), allowed: [] }

/** An attempt of some request at a provider. */
export function attemptAt(provider: Side, text = 'one two', wishes: Partial<OrderWishes> = {}): OrderedAttempt {
  return {
    offer: sampleOffer({ prices: PRICES, contextLength: 4096, nodeKey: provider.node.publicKey }),
    body: bodyOf(text),
    limits: { maxTokens: 100, maxCost: null, deadlineMs: 60_000 },
    wishes: { ...WISHES, ...wishes },
    onLie: (what) => assert.fail(what),
  }
}

export const DURABLE = (): Promise<void> => Promise.resolve()
const CONSUMER = new Uint8Array(32).fill(7)

/** The ask that brings it to the provider. */
export function askWith(attempt: OrderedAttempt, payment: AskPayment): readonly [OrderedAsk, ByOrder] {
  const { body, limits, offer } = attempt
  const shown = shownBy(payment, { consumer: CONSUMER, provider: offer.nodeKey })
  if (shown.kind !== 'order') assert.fail('not paid by an order')
  return [{ body, limits, offer }, shown]
}

/** Opens, takes and locks: the provider may begin. */
export async function begun(
  payer: Side,
  provider: Side,
  text?: string,
): Promise<{ readonly means: Awaited<ReturnType<OrderPurse['means']>>; readonly taken: IncomingMeans }> {
  const attempt = attemptAt(provider, text)
  const means = await payer.purse.means(attempt)
  const taken = await provider.desk.take(...askWith(attempt, await means.payment(CEILING, DURABLE)))
  taken.reserve('request', { limit: CEILING, window: NO_COST, ahead: NO_COST })
  await taken.payment(new AbortController().signal, 10_000)
  return { means, taken }
}

/** Of a receipt, what a claim reads. */
export function answerOf(cost: bigint): Answered {
  const response = { hash: new Uint8Array(32).fill(9), tokenRoot: new Uint8Array(32), bytes: 1 }
  return { response, cost: microLamports(cost) }
}
