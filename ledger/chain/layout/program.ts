/** Everything that the program does and keeps, in the order of its numbers: for the IDL, the documents and the tests. */
import { CHANNEL, CONFIG, OFFER, ORDER, PROVIDER, STAKE } from './accounts.js'
import * as channel from './channel-instructions.js'
import * as config from './config-instructions.js'
import * as order from './order-instructions.js'
import * as provider from './provider-instructions.js'
import * as stake from './stake-instructions.js'
import type { AnyInstructionSpec } from './instruction.js'

export const ACCOUNTS = [CONFIG, PROVIDER, OFFER, CHANNEL, ORDER, STAKE] as const

export const INSTRUCTIONS: readonly AnyInstructionSpec[] = [
  config.CONFIG_INIT,
  config.CONFIG_UPDATE,
  provider.PROVIDER_REGISTER,
  provider.PROVIDER_UPDATE,
  provider.PROVIDER_CLOSE,
  provider.PROVIDER_CHECKPOINT,
  provider.OFFER_SET,
  provider.OFFER_CLOSE,
  channel.CHANNEL_OPEN,
  channel.CHANNEL_TOP_UP,
  channel.CHANNEL_SETTLE,
  channel.CHANNEL_REQUEST_CLOSE,
  channel.CHANNEL_FINISH_CLOSE,
  order.ORDER_OPEN,
  order.ORDER_LOCK,
  order.ORDER_CLAIM,
  order.ORDER_REFUND,
  stake.STAKE_DEPOSIT,
  stake.STAKE_UNBOND,
  stake.STAKE_WITHDRAW,
  stake.STAKE_SLASH,
]
