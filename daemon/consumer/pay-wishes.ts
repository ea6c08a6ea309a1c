/** From what a caller wishes about money to what a purchase takes. */
import b4a from 'b4a'
import { lamports } from '../../ledger/amount.js'
import { isFree } from '../../ledger/price.js'
import type { Offer } from '../../swarm/port.js'
import type { PayWishes } from '../payment/payer.js'
import type { AnyRequest } from './router.js'

/** Each is looked up on the chain before an order is published. */
const MAX_OTHERS = 3
const KEY = /^[0-9a-f]{64}$/

/** Who may take an order: the caller's own list, else a few more that sell the model, so that one that is lost has a stand-in. */
export function payWishesOf({ routing }: AnyRequest, offer: Offer, offers: readonly Offer[]): PayWishes {
  const { by = null, deadlineSeconds = null, minReputation = null } = routing.pay ?? {}
  const named = [...(routing.only ?? []), ...routing.order].filter((key) => KEY.test(key))
  const others = offers
    .filter((other) => b4a.equals(other.modelRoot, offer.modelRoot) && !isFree(other.prices))
    .filter(({ nodeKey }) => !routing.ignore.includes(b4a.toString(nodeKey, 'hex')))
  return {
    by,
    deadlineSeconds,
    minReputation: minReputation === null ? null : lamports(minReputation),
    allowed:
      named.length > 0
        ? named.map((key) => b4a.from(key, 'hex'))
        : others.slice(0, MAX_OTHERS).map(({ nodeKey }) => nodeKey),
  }
}
