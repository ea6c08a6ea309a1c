/** From instructions to signed bytes. web3.js orders the accounts; sodium signs, forty times as fast as web3.js. */
import { PublicKey, Transaction } from '@solana/web3.js'
import type { TransactionInstruction } from '@solana/web3.js'
import { signRaw } from '../crypto.js'
import type { KeyPair } from '../crypto.js'
import { toBase58 } from './base58.js'
import type { Blockhash } from './calls.js'

/** A packet of the network. */
export const MAX_TRANSACTION_BYTES = 1232
const SIGNATURE_BYTES = 64

export interface Unsigned extends Blockhash {
  readonly message: Uint8Array
  /** 32 bytes each, in the order of their signatures; the first pays. */
  readonly signers: readonly Uint8Array[]
}

export interface Signed extends Blockhash {
  /** Base58: the first signature names the transaction. */
  readonly signature: string
  readonly wire: Uint8Array
}

export function compile(
  payer: Uint8Array,
  instructions: readonly TransactionInstruction[],
  recent: Blockhash,
): Unsigned {
  const transaction = new Transaction({ feePayer: new PublicKey(payer), ...recent }).add(...instructions)
  const message = transaction.compileMessage()
  const signers = message.accountKeys.slice(0, message.header.numRequiredSignatures).map((key) => key.toBytes())
  return { ...recent, message: message.serialize(), signers }
}

/** How many bytes the transaction has once it is signed. */
export function sizeOf({ message, signers }: Unsigned): number {
  return 1 + signers.length * SIGNATURE_BYTES + message.byteLength
}

/** With zeros for signatures: good for a rehearsal, and for nothing else. */
export function unsignedWire({ message, signers }: Unsigned): Uint8Array {
  return Buffer.concat([Buffer.from([signers.length]), Buffer.alloc(signers.length * SIGNATURE_BYTES), message])
}

/** Throws when the key of a signer is not among `keys`. */
export function sign(unsigned: Unsigned, keys: readonly KeyPair[]): Signed {
  const { message, signers, blockhash, lastValidBlockHeight } = unsigned
  const signatures = signers.map((signer) => {
    const pair = keys.find(({ publicKey }) => Buffer.compare(publicKey, signer) === 0)
    if (!pair) throw new Error(`the key of ${toBase58(signer)} is needed to sign, and was not given`)
    return signRaw(pair.secretKey, message)
  })
  const wire = Buffer.concat([Buffer.from([signatures.length]), ...signatures, message])
  return { blockhash, lastValidBlockHeight, wire, signature: toBase58(wire.subarray(1, 1 + SIGNATURE_BYTES)) }
}
