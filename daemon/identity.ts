/**
 * A node's identity: one 32-byte seed in the data folder (seed-file.ts), and every key derived from it by BLAKE2b with a
 * namespace per use (docs/protocol.md).
 */
import { inspect } from 'node:util'
import { boxKeyPair, hash32, openSeed, randomBytes, signKeyPair } from './crypto.js'
import type { KeyPair } from './crypto.js'
import { codeOf, DaemonError } from './errors.js'
import { createSeed, readSeed } from './seed-file.js'

/**
 * 32-byte id of the network `name`: mixed into every topic, said in every hello and written into every transaction. With a
 * chain its genesis hash (32 bytes) is in it, so that nodes on different chains never meet.
 */
export function networkId(name: string, genesis: Uint8Array | null = null): Uint8Array {
  if (genesis === null) return hash32('swarmd/1/network', Buffer.from(name, 'utf8'))
  return hash32('swarmd/1/network/chain', Buffer.concat([genesis, Buffer.from(name, 'utf8')]))
}

/** A Noise key that nobody can derive again: not its owner either (run-keys.ts has those that can). */
export function freshNodeKeyPair(): KeyPair {
  return signKeyPair(randomBytes(32))
}

export class Identity {
  readonly #seed: Uint8Array

  constructor(seed: Uint8Array) {
    if (seed.byteLength !== 32) throw DaemonError.IDENTITY_UNSAFE(`A seed has 32 bytes, not ${seed.byteLength}.`)
    this.#seed = seed
  }

  /** Ed25519: Noise identity of a provider, signer of offers and receipts. */
  node(): KeyPair {
    return signKeyPair(this.#derive('node'))
  }

  /** Ed25519: Noise identity of one run of a node that serves nothing (run-keys.ts). Without the seed no two can be linked. */
  run(number: number): KeyPair {
    const data = new Uint8Array(8)
    new DataView(data.buffer).setBigUint64(0, BigInt(number), true)
    return signKeyPair(this.#derive('run', data))
  }

  /** Ed25519: fee payer and owner of deposits. */
  wallet(): KeyPair {
    return signKeyPair(this.#derive('wallet'))
  }

  /** Ed25519: another signer for each provider (its 32-byte node key), so that providers cannot link a consumer. */
  voucher(provider: Uint8Array): KeyPair {
    if (provider.byteLength !== 32) throw DaemonError.IDENTITY_UNSAFE('A voucher key belongs to a 32-byte node key.')
    return signKeyPair(this.#derive('voucher', provider))
  }

  /** X25519: content keys are sealed to it. */
  box(): KeyPair {
    return boxKeyPair(this.#derive('box'))
  }

  /** 32 bytes: primary key of the stores, key for data at rest. */
  store(): Uint8Array {
    return this.#derive('store')
  }

  /** Lends the seed to what writes it down for its owner (seed-words.ts). */
  withSeed<T>(use: (seed: Uint8Array) => T): T {
    return use(this.#seed)
  }

  /** Secrets stay out of logs and JSON, however an identity gets there. */
  toJSON(): string {
    return '[identity]'
  }

  [inspect.custom](): string {
    return '[identity]'
  }

  #derive(use: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
    return hash32(`swarmd/1/key/${use}`, data, this.#seed)
  }
}

/**
 * Reads the seed of `dataDir`, or makes one when there is none. The caller holds the folder's lock, or knows that there is
 * one. Throws `IDENTITY_UNSAFE` when the file is malformed, belongs to somebody else or is open to others (it is never
 * repaired or replaced by itself), `PASSPHRASE_NEEDED` and `PASSPHRASE_WRONG` for a sealed one.
 */
export function openIdentity(dataDir: string, passphrase: Uint8Array | null = null): Identity {
  try {
    const stored = readSeed(dataDir)
    if (stored === null) return new Identity(createSeed(dataDir, randomBytes(32)))
    if (stored instanceof Uint8Array) return new Identity(stored)
    if (passphrase === null) throw DaemonError.PASSPHRASE_NEEDED()
    const seed = openSeed(stored, passphrase)
    if (seed === null) throw DaemonError.PASSPHRASE_WRONG()
    return new Identity(seed)
  } catch (error) {
    if (error instanceof DaemonError) throw error
    throw DaemonError.DATA_UNUSABLE(
      `The seed in ${dataDir} cannot be read or written (${codeOf(error) ?? 'unknown reason'}).`,
      error,
    )
  }
}
