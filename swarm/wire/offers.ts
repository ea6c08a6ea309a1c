/** Message 1: signed offers, the sender's own or gossip. The first one may be empty; later ones carry what is new. */
import { message, record } from './codec.js'
import { list } from './fields.js'
import { MAX_SIGNED_OFFER_BYTES, envelopeCodec } from './offer.js'
import type { Envelope } from './offer.js'

export const MAX_OFFERS = 64

export interface Offers {
  readonly offers: readonly Envelope[]
}

export const offersMessage = message<Offers>(
  'offers',
  1,
  16 + MAX_OFFERS * (100 + MAX_SIGNED_OFFER_BYTES),
  record<Offers>({ offers: list(envelopeCodec, MAX_OFFERS) }),
)
