/** The ledger's part of the node's picture of itself. In a free swarm it does not say a word about money. */
import b4a from 'b4a'
import { toBase58 } from '../ledger/chain/base58.js'
import { isFree } from '../ledger/price.js'
import { openQuestion } from './chain/consent.js'
import type { ChannelView, LedgerView, MoneyView } from './control/snapshot.js'
import type { NodeOptions } from './node-options.js'
import type { Payments } from './payment/open.js'

/** Does this node ask a price, or have the means to pay one? */
export function dealsInMoney({ credit, chain, models }: Pick<NodeOptions, 'credit' | 'chain' | 'models'>): boolean {
  return credit !== null || Boolean(chain) || models.some(({ prices }) => !isFree(prices))
}

/** `payments` null: the keys are not read yet. */
export function ledgerView(
  options: Pick<NodeOptions, 'credit' | 'chain' | 'models' | 'dataDir'>,
  payments: Payments | null,
): LedgerView {
  const paid = dealsInMoney(options)
  return {
    state: payments?.books.state ?? 'opening',
    transactions: payments?.books.opened?.length ?? 0,
    money: paid && payments ? { ...moneyView(payments), ...consentField(options) } : null,
  }
}

/** A damaged answer is told by whoever needs it. */
function consentField({ chain, dataDir }: Pick<NodeOptions, 'chain' | 'dataDir'>): Pick<MoneyView, 'askDeposit'> {
  try {
    const deposit = chain ? openQuestion(chain, dataDir) : null
    return deposit === null ? {} : { askDeposit: String(deposit) }
  } catch {
    return {}
  }
}

function moneyView({ budget, purse, till, earnings, chain }: Payments): MoneyView {
  const addressOf = (id: Uint8Array): string | null => (chain ? toBase58(id) : null)
  const outgoing = [...purse.accounts].map(([peer, { id, deposit, paid, accrued }]): ChannelView => ({
    channel: b4a.toString(id, 'hex'),
    address: addressOf(id),
    direction: 'out',
    peer,
    deposit: String(deposit),
    paid: String(paid),
    accrued: String(accrued),
  }))
  const incoming = [...till.accounts.values()].map(({ id, deposit, paid, accrued }): ChannelView => ({
    channel: b4a.toString(id, 'hex'),
    address: addressOf(id),
    direction: 'in',
    peer: null,
    deposit: String(deposit),
    paid: String(paid),
    accrued: String(accrued),
  }))
  return {
    spentToday: String(budget?.view()[0]?.spent ?? 0n),
    earnedToday: String(earnings.today),
    channels: [...outgoing, ...incoming],
  }
}
