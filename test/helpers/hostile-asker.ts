/** Asks and vouchers of a hostile consumer: well-formed, whatever they are worth. */
import { randomBytes } from '../../swarm/crypto.js'
import type { AskBody, AskKeys, Offer, SignedPayment } from '../../swarm/port.js'
import { sealAsk } from '../../swarm/sealing.js'
import type { Party } from '../../swarm/sealing.js'
import type { Ask, AskHead } from '../../swarm/wire/ask.js'
import { partyOf } from './hostile-peer.js'
import type { HostileLine } from './hostile-peer.js'
import { askKeys, textBody } from './loopback-swarm.js'

export interface AskLie {
  readonly body?: AskBody
  /** Open fields that are other than they should be, e.g. the payment. */
  readonly head?: Partial<Omit<AskHead, 'forProvider' | 'forConsumer'>>
  readonly keys?: AskKeys
  readonly party?: Party
}

/** An ask as it would be right, but for what the lie says. */
export function hostileAsk(line: HostileLine, offer: Offer, lie: AskLie = {}): Ask {
  const head = {
    id: randomBytes(16),
    modelRoot: offer.modelRoot,
    offerId: offer.id,
    maxTokens: null,
    maxCost: null,
    deadlineMs: 10_000,
    resume: 0,
    credit: 512,
    payment: null,
    ...lie.head,
  }
  const { body = textBody('one two'), keys = askKeys(offer.boxKey), party = partyOf(line) } = lie
  return sealAsk(head, body, keys, party).ask
}

/** A voucher under no signature that holds. */
export function forgedVoucher(channel: Uint8Array, cumulative: bigint): SignedPayment {
  return { channel, cumulative, expires: 0n, signature: randomBytes(64) }
}
