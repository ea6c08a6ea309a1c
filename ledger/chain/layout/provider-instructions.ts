import { SystemProgram } from '@solana/web3.js'
import type { PublicKey, TransactionInstruction } from '@solana/web3.js'
import { offerAddress, providerAddress } from './addresses.js'
import { address, bytes32, struct, u32, u64 } from './fields.js'
import { build, spec } from './instruction.js'

export interface ProviderArgs {
  /** x25519. */
  readonly box: Uint8Array
  readonly payout: PublicKey
}

const ARGS = struct<ProviderArgs>({ box: bytes32, payout: address })

export const PROVIDER_REGISTER = spec({
  name: 'provider_register',
  number: 0x10,
  about: 'Registers a provider. The node key signs too, so nobody can register the node of another one.',
  args: ARGS,
  accounts: { authority: 'signer writable', node: 'signer', provider: 'writable', systemProgram: 'readonly' },
})

export const PROVIDER_UPDATE = spec({
  name: 'provider_update',
  number: 0x11,
  about: 'Replaces node key, box key and payout account.',
  args: ARGS,
  accounts: { authority: 'signer', node: 'signer', provider: 'writable' },
})

export const PROVIDER_CLOSE = spec({
  name: 'provider_close',
  number: 0x12,
  about: 'Closes a provider without open channels, locked orders and offers.',
  args: struct<object>({}),
  accounts: { authority: 'signer writable', provider: 'writable' },
})

export interface CheckpointArgs {
  readonly log: Uint8Array
  readonly treeHash: Uint8Array
  /** Blocks. */
  readonly length: bigint
}

export const PROVIDER_CHECKPOINT = spec({
  name: 'provider_checkpoint',
  number: 0x13,
  about: "Records where the provider's log stands. It goes into the transaction that settles.",
  args: struct<CheckpointArgs>({ log: bytes32, treeHash: bytes32, length: u64 }),
  accounts: { authority: 'signer', provider: 'writable' },
})

export interface OfferArgs {
  readonly model: Uint8Array
  /** Lamports per million tokens. */
  readonly input: bigint
  readonly cached: bigint
  readonly output: bigint
  readonly context: number
  readonly flags: number
}

export const OFFER_SET = spec({
  name: 'offer_set',
  number: 0x20,
  about: 'Creates or replaces the offer for a model.',
  args: struct<OfferArgs>({ model: bytes32, input: u64, cached: u64, output: u64, context: u32, flags: u32 }),
  accounts: { authority: 'signer writable', provider: 'writable', offer: 'writable', systemProgram: 'readonly' },
})

export const OFFER_CLOSE = spec({
  name: 'offer_close',
  number: 0x21,
  about: 'Closes an offer.',
  args: struct<object>({}),
  accounts: { authority: 'signer writable', provider: 'writable', offer: 'writable' },
})

interface ByAuthority {
  readonly authority: PublicKey
}

interface Identity extends ByAuthority, ProviderArgs {
  /** ed25519 key of the node; signs the transaction. */
  readonly node: PublicKey
}

export function registerProvider(program: PublicKey, { authority, node, ...args }: Identity): TransactionInstruction {
  const provider = providerAddress(program, authority)
  return build(PROVIDER_REGISTER, program, { authority, node, provider, systemProgram: SystemProgram.programId }, args)
}

export function updateProvider(program: PublicKey, { authority, node, ...args }: Identity): TransactionInstruction {
  return build(PROVIDER_UPDATE, program, { authority, node, provider: providerAddress(program, authority) }, args)
}

export function closeProvider(program: PublicKey, { authority }: ByAuthority): TransactionInstruction {
  return build(PROVIDER_CLOSE, program, { authority, provider: providerAddress(program, authority) }, {})
}

export function anchorCheckpoint(
  program: PublicKey,
  { authority, ...args }: ByAuthority & CheckpointArgs,
): TransactionInstruction {
  return build(PROVIDER_CHECKPOINT, program, { authority, provider: providerAddress(program, authority) }, args)
}

export function setOffer(program: PublicKey, { authority, ...args }: ByAuthority & OfferArgs): TransactionInstruction {
  const provider = providerAddress(program, authority)
  const offer = offerAddress(program, provider, args.model)
  return build(OFFER_SET, program, { authority, provider, offer, systemProgram: SystemProgram.programId }, args)
}

export function closeOffer(
  program: PublicKey,
  { authority, model }: ByAuthority & Pick<OfferArgs, 'model'>,
): TransactionInstruction {
  const provider = providerAddress(program, authority)
  return build(OFFER_CLOSE, program, { authority, provider, offer: offerAddress(program, provider, model) }, {})
}
