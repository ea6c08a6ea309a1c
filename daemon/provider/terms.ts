/** What this node states about a model it serves: the unsigned part of its offer. */
import type { OfferTerms } from '../../swarm/port.js'
import { featuresOf } from '../consumer/catalog.js'
import type { ModelInfo } from '../engine/port.js'
import type { ModelOptions } from '../node-options.js'

export function termsOf(info: ModelInfo, options: ModelOptions): OfferTerms {
  return {
    modelRoot: info.root,
    modelName: info.name,
    quantisation: info.quantisation,
    parameters: info.parameters,
    contextLength: info.contextLength,
    features: featuresOf(info),
    notice: info.notice,
    prices: options.prices,
    slots: info.slots,
  }
}
