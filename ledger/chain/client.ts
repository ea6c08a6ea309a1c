/**
 * What swarmd does on a chain, in its own words: pay, open and settle channels, register and offer. Every change goes
 * through the outbox; everything that is read is decoded by the layout.
 */
import { PublicKey, SystemProgram } from '@solana/web3.js'
import type { TransactionInstruction } from '@solana/web3.js'
import type { Lamports } from '../amount.js'
import { randomBytes } from '../crypto.js'
import type { KeyPair } from '../crypto.js'
import type { SignedVoucher } from '../voucher.js'
import { fromBase58, toBase58 } from './base58.js'
import { accountOf, balanceOf, latestBlockhash, slotOf } from './calls.js'
import { ChainError } from './errors.js'
import { CONFIG } from './layout/accounts.js'
import type { ChannelAccount, ConfigAccount, ProviderAccount } from './layout/accounts.js'
import { channelAddress, configAddress, providerAddress } from './layout/addresses.js'
import {
  finishCloseChannel,
  openChannel,
  requestCloseChannel,
  settleChannels,
  topUpChannel,
} from './layout/channel-instructions.js'
import {
  anchorCheckpoint,
  closeOffer,
  registerProvider,
  setOffer,
  updateProvider,
} from './layout/provider-instructions.js'
import type { CheckpointArgs, OfferArgs } from './layout/provider-instructions.js'
import { voucherSignatures } from './layout/voucher-signatures.js'
import type { OutboxEntry } from './outbox-states.js'
import { channelAt, providerAt } from './readings.js'
import type { Found } from './readings.js'
import type { Rpc } from './rpc.js'
import { compile, MAX_TRANSACTION_BYTES, sizeOf } from './sign.js'
import type { Transactor } from './transactor.js'

export interface ClientOptions {
  readonly rpc: Rpc
  readonly transactor: Transactor
  /** Base58. */
  readonly program: string
  /** Pays fees and deposits; a provider's authority. */
  readonly wallet: KeyPair
}

export interface OpenChannel {
  /** Base58: the provider's account. */
  readonly provider: string
  /** 32 bytes, ed25519. */
  readonly signer: Uint8Array
  /** 32 bytes; zeros = none. */
  readonly model: Uint8Array
  readonly deposit: Lamports
  /** Seconds. */
  readonly grace: bigint
}

/** A voucher with the channel it belongs to, as it stands on chain. */
export interface Claim {
  readonly channel: Found<ChannelAccount>
  readonly signed: SignedVoucher
}

export interface Opened {
  /** Base58: the channel. */
  readonly channel: string
  readonly entry: OutboxEntry
}

export class ChainClient {
  readonly #rpc: Rpc
  readonly #transactor: Transactor
  readonly #program: PublicKey
  readonly #wallet: KeyPair
  readonly #self: PublicKey

  /** Throws `BAD_ADDRESS`. */
  constructor({ rpc, transactor, program, wallet }: ClientOptions) {
    this.#rpc = rpc
    this.#transactor = transactor
    this.#program = keyOf(program)
    this.#wallet = wallet
    this.#self = new PublicKey(wallet.publicKey)
  }

  /** The wallet's address. */
  get address(): string {
    return this.#self.toBase58()
  }

  /** The account of a provider with this wallet, whether it is registered or not. */
  get provider(): string {
    return providerAddress(this.#program, this.#self).toBase58()
  }

  balance(): Promise<Lamports> {
    return balanceOf(this.#rpc, this.address)
  }

  /** Throws `PROGRAM_MISMATCH` where the program is not, or has no config. */
  async config(): Promise<ConfigAccount> {
    const account = await accountOf(this.#rpc, configAddress(this.#program).toBase58())
    if (account?.owner !== this.#program.toBase58())
      throw ChainError.PROGRAM_MISMATCH(`There is no configured swarmd program at ${this.#program.toBase58()}.`)
    return CONFIG.decode(account.data)
  }

  channel(address: string): Promise<Found<ChannelAccount> | null> {
    return channelAt(this.#rpc, this.#program.toBase58(), address)
  }

  providerAt(address: string): Promise<Found<ProviderAccount> | null> {
    return providerAt(this.#rpc, this.#program.toBase58(), address)
  }

  /** `id` makes it happen once: the same id again is the same transfer. */
  async transfer(to: string, amount: Lamports, id: string): Promise<OutboxEntry> {
    const instruction = SystemProgram.transfer({ fromPubkey: this.#self, toPubkey: keyOf(to), lamports: amount })
    return this.#perform(`transfer/${id}`, { what: 'transfer', to, amount: amount.toString() }, [instruction])
  }

  /**
   * A new channel; its address is in the outbox before anything is sent, so a crash cannot lose it. `id` names the
   * intention: with the same id, a channel that is on its way or open already is returned instead of a second one.
   */
  async open({ provider, ...terms }: OpenChannel, id: string): Promise<Opened> {
    const openSlot = BigInt(await slotOf(this.#rpc))
    const salt = Buffer.from(randomBytes(8)).readBigUInt64LE()
    const seeds = { payer: this.#self, provider: keyOf(provider), signer: terms.signer, salt, openSlot }
    const channel = channelAddress(this.#program, seeds).toBase58()
    const instruction = openChannel(this.#program, { ...seeds, ...terms })
    const purpose = { what: 'open', channel, provider, deposit: terms.deposit.toString() }
    const entry = await this.#perform(`open/${id}`, purpose, [instruction])
    return { channel: entry.purpose['channel'] ?? channel, entry }
  }

  async topUp(channel: string, amount: Lamports, id: string): Promise<OutboxEntry> {
    const instruction = topUpChannel(this.#program, { payer: this.#self, channel: keyOf(channel), amount })
    return this.#perform(`top-up/${id}`, { what: 'top-up', channel, amount: amount.toString() }, [instruction])
  }

  /**
   * Settles the claims of one provider, in as many transactions as it takes; with a checkpoint (the provider's own wallet
   * only) in the first. Sums are cumulative, so a claim that somebody else has settled meanwhile costs nothing but the fee.
   */
  async settle(claims: readonly Claim[], checkpoint: CheckpointArgs | null = null): Promise<OutboxEntry[]> {
    const [first] = claims
    if (!first) return []
    const provider = first.channel.account.provider
    const [config, found] = await Promise.all([this.config(), this.providerAt(provider.toBase58())])
    if (!found) throw ChainError.PROGRAM_MISMATCH(`${provider.toBase58()} is no provider of this program.`)
    const keys = { provider, payout: found.account.payout, treasury: config.treasury, pool: config.pool }
    const recent = await latestBlockhash(this.#rpc)
    const build = (batch: readonly Claim[], withCheckpoint: boolean): TransactionInstruction[] => [
      voucherSignatures(batch.map(({ channel, signed }) => ({ signed, signer: channel.account.signer }))),
      settleChannels(this.#program, { ...keys, channels: batch.map(({ channel }) => new PublicKey(channel.address)) }),
      ...(checkpoint && withCheckpoint
        ? [anchorCheckpoint(this.#program, { authority: this.#self, ...checkpoint })]
        : []),
    ]
    // Room for the two instructions of a priority fee.
    const fits = (batch: readonly Claim[], withCheckpoint: boolean): boolean =>
      sizeOf(compile(this.#wallet.publicKey, build(batch, withCheckpoint), recent)) <= MAX_TRANSACTION_BYTES - 64
    const entries: OutboxEntry[] = []
    for (const left = [...claims]; left.length > 0;) {
      let count = 1
      while (count < left.length && fits(left.slice(0, count + 1), entries.length === 0)) count++
      const batch = left.splice(0, count)
      const sums = batch.map(({ channel, signed }) => `${channel.address}:${signed.voucher.cumulative}`)
      const id = `settle/${toBase58(batch[0]?.signed.signature ?? new Uint8Array(64))}/${batch.length}`
      const purpose = { what: 'settle', vouchers: sums.join(' ') }
      // The claims are above what the chain has settled, whatever it was said to have done before.
      entries.push(await this.#perform(id, purpose, build(batch, entries.length === 0), [], true))
    }
    return entries
  }

  async requestClose(channel: string): Promise<OutboxEntry> {
    const instruction = requestCloseChannel(this.#program, { payer: this.#self, channel: keyOf(channel) })
    return this.#perform(`request-close/${channel}`, { what: 'request-close', channel }, [instruction])
  }

  /** Twice for a channel that ended before its opening slot was old: the second call returns the rent. */
  async finish({ address, account }: Found<ChannelAccount>, again = false): Promise<OutboxEntry> {
    const keys = { closer: this.#self, channel: keyOf(address), payer: account.payer, provider: account.provider }
    const id = `finish/${address}${again ? '/rent' : ''}`
    return this.#perform(id, { what: 'finish', channel: address }, [finishCloseChannel(this.#program, keys)])
  }

  /** Registers, or replaces node key, box key and payout. The node key signs as well. */
  async register(node: KeyPair, box: Uint8Array, payout: string, id: string): Promise<OutboxEntry> {
    const known = await this.providerAt(this.provider)
    const given = { authority: this.#self, node: new PublicKey(node.publicKey), box, payout: keyOf(payout) }
    const instruction = known ? updateProvider(this.#program, given) : registerProvider(this.#program, given)
    return this.#perform(`register/${id}`, { what: 'register', provider: this.provider }, [instruction], [node])
  }

  async setOffer(offer: OfferArgs, id: string): Promise<OutboxEntry> {
    const model = Buffer.from(offer.model).toString('hex')
    const instruction = setOffer(this.#program, { authority: this.#self, ...offer })
    return this.#perform(`offer/${id}`, { what: 'offer', model }, [instruction])
  }

  async closeOffer(model: Uint8Array, id: string): Promise<OutboxEntry> {
    const instruction = closeOffer(this.#program, { authority: this.#self, model })
    return this.#perform(`close-offer/${id}`, { what: 'close-offer', model: Buffer.from(model).toString('hex') }, [
      instruction,
    ])
  }

  #perform(
    id: string,
    purpose: Readonly<Record<string, string>>,
    instructions: readonly TransactionInstruction[],
    signers: readonly KeyPair[] = [],
    again = false,
  ): Promise<OutboxEntry> {
    return this.#transactor.perform({ id, purpose, instructions, payer: this.#wallet, signers, again })
  }
}

function keyOf(text: string): PublicKey {
  const bytes = fromBase58(text, 32)
  if (!bytes) throw ChainError.BAD_ADDRESS(text)
  return new PublicKey(bytes)
}
