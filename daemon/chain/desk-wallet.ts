/** The wallet of a node: what it holds, how it is filled, and how coins leave it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { formatLamports, lamports } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import { fromBase58 } from '../../ledger/chain/base58.js'
import { accountOf, airdrop, balanceOf, outboxChain, rentFor } from '../../ledger/chain/calls.js'
import type { ChainAccount } from '../../ledger/chain/calls.js'
import { ORDER_PHASE } from '../../ledger/chain/layout/accounts.js'
import { isKey } from '../../ledger/chain/layout/addresses.js'
import type { OutboxEntry } from '../../ledger/chain/outbox-states.js'
import { LAMPORTS_PER_SIGNATURE } from '../../ledger/chain/settle-policy.js'
import { feeOf } from '../../ledger/chain/transaction-fee.js'
import { ordersOfPayer } from '../../ledger/chain/order-readings.js'
import { offersOfProvider } from '../../ledger/chain/readings.js'
import type { LedgerStore } from '../../ledger/store/store.js'
import { codeOf } from '../errors.js'
import { promisedOf, rentOf, restOf, unclaimedOf } from './desk-channels.js'
import { DeskError } from './desk-errors.js'
import type { DepositView, Sent, WalletView, Withdrawal } from './desk-items.js'
import type { Withdraw } from './desk-request.js'
import type { ChainLink } from './link.js'

const SYSTEM_PROGRAM = '11111111111111111111111111111111'
const POLL_MS = 400
const AIRDROP_POLLS = 75

export async function walletView(
  link: ChainLink,
  genesis: string,
  { vouchers }: Pick<LedgerStore, 'vouchers'>,
): Promise<WalletView> {
  const { client, rpc, program } = link
  const [balance, out, into, provider, offers, orders] = await Promise.all([
    client.balance(),
    link.channelsFrom(),
    link.channelsTo(),
    client.providerAt(client.provider),
    offersOfProvider(rpc, program, client.provider),
    ordersOfPayer(rpc, program, client.address),
  ])
  const sum = <T>(list: readonly T[], of: (one: T) => bigint): bigint => list.reduce((all, one) => all + of(one), 0n)
  const rent = sum(out, rentOf) + (provider?.lamports ?? 0n) + sum(offers, ({ lamports: held }) => held)
  const locked = ({ account }: (typeof orders)[number]): bigint =>
    account.phase === ORDER_PHASE.claimed ? 0n : account.maxCost
  return {
    address: client.address,
    chain: genesis,
    nodes: rpc.hosts,
    balance: balance.toString(),
    deposits: sum(out, ({ account }) => restOf(account)).toString(),
    promised: sum(out, (channel) => promisedOf(channel, vouchers)).toString(),
    orders: sum(orders, locked).toString(),
    rent: (rent + sum(orders, (order) => order.lamports - locked(order))).toString(),
    owed: sum(into, (channel) => unclaimedOf(channel, vouchers)).toString(),
    channelsOut: out.length,
    channelsIn: into.length,
  }
}

/** The address, and, when asked for, coins of the chain's faucet. Throws `NO_AIRDROP`. */
export async function deposit({ client, rpc }: ChainLink, gift: Lamports | null): Promise<DepositView> {
  const { address } = client
  const plain = { address, nodes: rpc.hosts, airdrop: null }
  if (gift === null) {
    // Somebody who only wants the address gets it without a chain.
    const balance = await balanceOf(rpc, address).catch(() => null)
    return { ...plain, balance: balance?.toString() ?? null }
  }
  let signature: string
  try {
    signature = await airdrop(rpc, address, gift)
  } catch (error) {
    if (codeOf(error) !== 'RPC_REFUSED') throw error
    throw DeskError.NO_AIRDROP(
      `This chain gives nothing away, or not now. ${(error as Error).message} Send SOL to ${address} instead.`,
    )
  }
  const chain = outboxChain(rpc)
  for (let polls = 0; polls < AIRDROP_POLLS; polls++) {
    const [sighting] = await chain.look([signature])
    if (sighting?.status && sighting.status.level !== 'processed') {
      const balance = await balanceOf(rpc, address)
      return { ...plain, balance: balance.toString(), airdrop: { amount: gift.toString(), signature } }
    }
    await sleep(POLL_MS)
  }
  throw DeskError.NO_AIRDROP(`The airdrop ${signature} was promised and has not arrived yet: look again later.`)
}

/** What a withdrawal would do. Throws `ADDRESS_REFUSED`, `AMOUNT_REFUSED` with what is in the way. */
export async function withdrawalOf(link: ChainLink, asked: Withdraw): Promise<Withdrawal> {
  const { client, rpc } = link
  const { to } = asked
  assertAddress(to, client.address, asked.toProgram)
  const [balance, target, least, out] = await Promise.all([
    client.balance(),
    accountOf(rpc, to),
    rentFor(rpc, 0),
    link.channelsFrom(),
  ])
  assertWallet(to, target, asked)
  const fee = lamports(LAMPORTS_PER_SIGNATURE)
  const amount = asked.amount ?? lamports(balance > fee ? balance - fee : 0n)
  assertCovered({ amount, balance, fee, least, isNew: target === null })
  return {
    from: client.address,
    to,
    amount: amount.toString(),
    fee: fee.toString(),
    left: (balance - amount - fee).toString(),
    unused: target === null,
    deposits: out.reduce((sum, { account }) => sum + restOf(account), 0n).toString(),
  }
}

/** Once for each id. Throws as `withdrawalOf`, `ID_TAKEN`, and what the chain throws. */
export async function withdraw(link: ChainLink, asked: Withdraw): Promise<Sent> {
  const { id, to } = asked
  const known = link.outbox.get(`transfer/${id}`)
  if (known && known.phase !== 'failed') {
    const { to: before, amount } = known.purpose
    if (before !== to || (asked.amount !== null && asked.amount.toString() !== amount)) throw DeskError.ID_TAKEN(id)
    return sentOf(id, await link.plain.transfer(to, lamports(BigInt(amount ?? 0)), id), true)
  }
  const plan = await withdrawalOf(link, asked)
  // Without a priority fee: what is left has to be known to the lamport, and this can wait.
  return sentOf(id, await link.plain.transfer(to, lamports(BigInt(plan.amount)), id), false)
}

/** What the wallet must be able to pay beside an amount. Throws `AMOUNT_REFUSED`. */
export async function assertPays({ client, rpc }: ChainLink, amount: Lamports, fee: bigint): Promise<void> {
  const [balance, least] = await Promise.all([client.balance(), rentFor(rpc, 0)])
  assertCovered({ amount, balance, fee: lamports(fee), least, isNew: false })
}

function sentOf(id: string, entry: OutboxEntry, before: boolean): Sent {
  const { signature, phase, purpose, wire } = entry
  const { to = '', amount = '0' } = purpose
  return { id, signature, phase, to, amount, fee: feeOf(Buffer.from(wire, 'base64')).toString(), before }
}

function assertAddress(to: string, own: string, toProgram: boolean): void {
  if (!fromBase58(to, 32))
    throw DeskError.ADDRESS_REFUSED(`"${to.slice(0, 60)}" is no address: those are 32 bytes in base58.`)
  if (to === own) throw DeskError.ADDRESS_REFUSED('This is the address of this wallet itself.')
  if (!isKey(to) && !toProgram)
    throw DeskError.ADDRESS_REFUSED(
      `${to} is no wallet: no key can ever sign for it, so a character may be wrong. If it is the vault of a program and that is meant, say --to-program.`,
    )
}

function assertWallet(to: string, target: ChainAccount | null, { toProgram, toNew }: Withdraw): void {
  if (!target && !toNew)
    throw DeskError.ADDRESS_REFUSED(
      `${to} holds nothing yet on this chain, as a mistyped address would. If it is right, say --to-new.`,
    )
  if (target?.executable) throw DeskError.ADDRESS_REFUSED(`${to} is a program: coins sent there would be lost.`)
  if (target && target.owner !== SYSTEM_PROGRAM && !toProgram)
    throw DeskError.ADDRESS_REFUSED(
      `${to} belongs to the program ${target.owner} and is no wallet. If that is meant, say --to-program.`,
    )
}

interface Covering {
  readonly amount: Lamports
  readonly balance: Lamports
  readonly fee: Lamports
  /** What an account has to hold at least, unless it holds nothing. */
  readonly least: Lamports
  readonly isNew: boolean
}

function assertCovered({ amount, balance, fee, least, isNew }: Covering): void {
  const words = (value: bigint): string => `${formatLamports(lamports(value))} (${value} lamports)`
  if (balance <= fee)
    throw DeskError.AMOUNT_REFUSED(`The wallet holds ${words(balance)}, which pays no fee of ${words(fee)}.`)
  if (amount === 0n) throw DeskError.AMOUNT_REFUSED('An amount of 0 is no payment.')
  const most = balance - fee
  if (amount > most)
    throw DeskError.AMOUNT_REFUSED(
      `The wallet holds ${words(balance)}, and the fee is ${words(fee)}: at most ${words(most)} can leave it.`,
    )
  if (isNew && amount < least)
    throw DeskError.AMOUNT_REFUSED(
      `That address holds nothing yet, and the chain lets no account hold less than ${words(least)}.`,
    )
  const left = most - amount
  if (left === 0n || left >= least) return
  const partly = most > least ? `at most ${words(most - least)}, or all` : 'all'
  throw DeskError.AMOUNT_REFUSED(
    `${words(left)} would be left, and the chain lets no account hold less than ${words(least)}: take ${partly}.`,
  )
}
