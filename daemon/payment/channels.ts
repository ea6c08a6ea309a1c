/**
 * Where channels come from: from a chain (daemon/chain/channels.ts), or from trust: `--credit` is the deposit that a consumer
 * stands for with each provider, and that a provider grants to each channel.
 */
import type { Lamports } from '../../ledger/amount.js'
import type { KeyPair } from '../crypto.js'

/** A channel that this node pays on. */
export interface Outgoing {
  /** 32 bytes. */
  readonly channel: Uint8Array
  readonly deposit: Lamports
  readonly signer: KeyPair
}

/** A channel that this node is paid on. */
export interface Incoming {
  readonly channel: Uint8Array
  readonly deposit: Lamports
  /** ed25519 key that signs its vouchers. */
  readonly signer: Uint8Array
  /** Cashed already; absent = nothing is. */
  readonly settled?: Lamports
}

/** Lamports that are wanted of a channel. */
export interface Need {
  /** Reserved for what is under way on it. */
  readonly taken: Lamports
  /** For what comes next. */
  readonly more: Lamports
}

export interface Channels {
  /** Without asking anybody: can this node pay at all? */
  readonly pays: boolean
  /** The channel to a provider (its node key), opened or filled up if need be; null = there are no means. */
  outgoing(provider: Uint8Array, need?: Need): Promise<Outgoing | null>
  /** The channel that a peer says it pays on; null = there is no such channel to this node. */
  incoming(channel: Uint8Array, peer: Uint8Array): Promise<Incoming | null>
  /** Vouchers are cashed later, so one that expires is worth nothing. Absent = they are kept and counted only. */
  readonly cashed?: boolean
  /** Is so little left of a channel that `outgoing` should be asked again? Absent = it will always say the same. */
  usedUp?(deposit: Lamports, paid: Lamports): boolean
  /** Is this channel being closed, so that nothing further is served on it? Absent = none ever is. */
  ending?(channel: Uint8Array): boolean
}

/**
 * Channels on credit. The id of one is the public key that signs its vouchers: another one for each provider, derived from
 * the seed, so both sides know it after any restart and nothing has to be looked up.
 */
export class CreditChannels implements Channels {
  readonly #credit: Lamports | null
  readonly #signer: (provider: Uint8Array) => KeyPair

  /** `credit` null: neither pays nor is paid. */
  constructor(credit: Lamports | null, signer: (provider: Uint8Array) => KeyPair) {
    this.#credit = credit
    this.#signer = signer
  }

  get pays(): boolean {
    return this.#credit !== null
  }

  outgoing(provider: Uint8Array): Promise<Outgoing | null> {
    if (this.#credit === null) return Promise.resolve(null)
    const signer = this.#signer(provider)
    return Promise.resolve({ channel: signer.publicKey, deposit: this.#credit, signer })
  }

  incoming(channel: Uint8Array): Promise<Incoming | null> {
    if (this.#credit === null) return Promise.resolve(null)
    return Promise.resolve({ channel, deposit: this.#credit, signer: channel })
  }
}
