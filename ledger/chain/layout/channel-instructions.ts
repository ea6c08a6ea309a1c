import { SystemProgram, SYSVAR_INSTRUCTIONS_PUBKEY } from '@solana/web3.js'
import type { PublicKey, TransactionInstruction } from '@solana/web3.js'
import type { Lamports } from '../../amount.js'
import { channelAddress, configAddress } from './addresses.js'
import type { ChannelSeeds } from './addresses.js'
import { amount, bytes32, struct, u64 } from './fields.js'
import { build, meta, spec } from './instruction.js'

/** An opening slot may be this old, and a channel's rent stays at least this long. */
export const RECENT_SLOTS = 150n
/** Seconds. */
export const MIN_GRACE = 60n
export const MAX_GRACE = 30n * 86_400n

export interface ChannelOpenArgs {
  readonly signer: Uint8Array
  /** Model root whose last trainer shares the fee; all zero = none. */
  readonly model: Uint8Array
  readonly salt: bigint
  readonly openSlot: bigint
  readonly deposit: Lamports
  /** Seconds. */
  readonly grace: bigint
}

export const CHANNEL_OPEN = spec({
  name: 'channel_open',
  number: 0x30,
  about: 'Opens a channel and puts the deposit in. The fees of this moment hold for its whole life.',
  args: struct<ChannelOpenArgs>({
    signer: bytes32,
    model: bytes32,
    salt: u64,
    openSlot: u64,
    deposit: amount,
    grace: u64,
  }),
  accounts: {
    payer: 'signer writable',
    channel: 'writable',
    provider: 'writable',
    config: 'readonly',
    systemProgram: 'readonly',
  },
})

export const CHANNEL_TOP_UP = spec({
  name: 'channel_top_up',
  number: 0x31,
  about: 'Adds to the deposit; the payer only, and not once closing was requested.',
  args: struct<{ readonly amount: Lamports }>({ amount }),
  accounts: { payer: 'signer writable', channel: 'writable', systemProgram: 'readonly' },
})

export const CHANNEL_SETTLE = spec({
  name: 'channel_settle',
  number: 0x32,
  about:
    'Pays what vouchers promise above what is settled. The vouchers are the signatures of the Ed25519 instruction ' +
    'directly before this one, one for each channel that follows the named accounts, in the same order.',
  args: struct<object>({}),
  accounts: {
    instructions: 'readonly',
    config: 'readonly',
    provider: 'writable',
    payout: 'writable',
    treasury: 'writable',
    pool: 'writable',
  },
})

export const CHANNEL_REQUEST_CLOSE = spec({
  name: 'channel_request_close',
  number: 0x33,
  about: 'The payer asks to close; from then on the grace runs, in which the provider can still settle.',
  args: struct<object>({}),
  accounts: { payer: 'signer', channel: 'writable' },
})

export const CHANNEL_FINISH_CLOSE = spec({
  name: 'channel_finish_close',
  number: 0x34,
  about:
    "Returns the rest to the payer: by the provider's authority at once, by anyone after the grace. The rent goes with " +
    'it, or, while the opening slot is recent, with a second call.',
  args: struct<object>({}),
  accounts: { closer: 'signer', channel: 'writable', payer: 'writable', provider: 'writable' },
})

export function openChannel(
  program: PublicKey,
  { payer, provider, ...args }: ChannelOpenArgs & Pick<ChannelSeeds, 'payer' | 'provider'>,
): TransactionInstruction {
  const channel = channelAddress(program, { payer, provider, ...args })
  const config = configAddress(program)
  const systemProgram = SystemProgram.programId
  return build(CHANNEL_OPEN, program, { payer, channel, provider, config, systemProgram }, args)
}

export function topUpChannel(
  program: PublicKey,
  given: { readonly payer: PublicKey; readonly channel: PublicKey; readonly amount: Lamports },
): TransactionInstruction {
  const { payer, channel } = given
  const systemProgram = SystemProgram.programId
  return build(CHANNEL_TOP_UP, program, { payer, channel, systemProgram }, { amount: given.amount })
}

export interface SettleKeys {
  /** The provider's account. */
  readonly provider: PublicKey
  readonly payout: PublicKey
  readonly treasury: PublicKey
  readonly pool: PublicKey
  /** In the order of the vouchers. */
  readonly channels: readonly PublicKey[]
}

/** Must directly follow `voucherSignatures` of the same vouchers in the transaction. */
export function settleChannels(program: PublicKey, { channels, ...keys }: SettleKeys): TransactionInstruction {
  const named = { instructions: SYSVAR_INSTRUCTIONS_PUBKEY, config: configAddress(program), ...keys }
  const more = channels.map((channel) => meta(channel, 'writable'))
  return build(CHANNEL_SETTLE, program, named, {}, more)
}

export function requestCloseChannel(
  program: PublicKey,
  keys: { readonly payer: PublicKey; readonly channel: PublicKey },
): TransactionInstruction {
  return build(CHANNEL_REQUEST_CLOSE, program, keys, {})
}

export interface FinishKeys {
  /** Who signs: the provider's authority, or anyone once the grace is over. */
  readonly closer: PublicKey
  readonly channel: PublicKey
  readonly payer: PublicKey
  /** The provider's account. */
  readonly provider: PublicKey
}

export function finishCloseChannel(program: PublicKey, keys: FinishKeys): TransactionInstruction {
  return build(CHANNEL_FINISH_CLOSE, program, keys, {})
}
