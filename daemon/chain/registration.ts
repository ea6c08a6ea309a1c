/**
 * A provider's entry on the chain: node key, box key and payout as this node has them. Before it is there nobody can open a
 * channel, so nothing with a price is offered before.
 */
import b4a from 'b4a'
import type { ChainClient } from '../../ledger/chain/client.js'
import { isFree } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import type { KeyPair } from '../crypto.js'

export interface RegistrationOptions {
  readonly client: () => Promise<Pick<ChainClient, 'address' | 'provider' | 'providerAt' | 'register'>>
  /** The node key that providers are found by. */
  readonly keys: KeyPair
  /** 32 bytes, x25519. */
  readonly box: () => Uint8Array
}

export class Registration {
  readonly #options: RegistrationOptions
  #done = false
  #running: Promise<void> | null = null
  readonly #listeners: (() => void)[] = []

  constructor(options: RegistrationOptions) {
    this.#options = options
  }

  /** Has the chain been seen to hold it since this node started? */
  get done(): boolean {
    return this.#done
  }

  /** Called once it is there; at once when it is. */
  onDone(listener: () => void): void {
    if (this.#done) listener()
    else this.#listeners.push(listener)
  }

  /** Makes the entry or corrects it, where that is needed, once. Throws what the chain throws; call it again then. */
  async run(): Promise<void> {
    if (this.#done) return
    this.#running ??= this.#run().finally(() => (this.#running = null))
    await this.#running
  }

  async #run(): Promise<void> {
    const { keys } = this.#options
    const client = await this.#options.client()
    const box = this.#options.box()
    const known = await client.providerAt(client.provider)
    const right =
      known !== null &&
      b4a.equals(known.account.node, keys.publicKey) &&
      b4a.equals(known.account.box, box) &&
      known.account.payout.toBase58() === client.address
    // The same correction of the same entry has the same name, so a crash repeats none.
    const name = `${b4a.toString(keys.publicKey, 'hex')}/${known?.account.updatedAt ?? 0n}`
    if (!right) await client.register(keys, box, client.address, name)
    this.#done = true
    for (const listener of this.#listeners.splice(0)) listener()
  }
}

/** May it be offered now? What is free needs no chain, and where there is none a price is a matter of credit. */
export function mayOffer(prices: Prices, registration: Pick<Registration, 'done'> | null | undefined): boolean {
  return isFree(prices) || registration?.done !== false
}
