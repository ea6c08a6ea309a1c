/**
 * Where a log stands, signed by its owner: what is anchored on chain with each settlement, and what a restored log must
 * not fall behind.
 *
 *   version uint8 (1) | log 32 | length uint | tree hash 32 | transactions uint | cumulative | signature 64
 */
import { MAX_MICRO, microLamports } from './amount.js'
import type { MicroLamports } from './amount.js'
import { bigUint, decode, encode, fixed, mapped, struct, uint, version } from './codec.js'
import { HASH_BYTES, KEY_BYTES, sign, SIGNATURE_BYTES, verify } from './crypto.js'

export interface Checkpoint {
  /** The log's Hypercore key. */
  readonly log: Uint8Array
  /** Blocks. */
  readonly length: number
  /** Hypercore's tree hash at that length. */
  readonly treeHash: Uint8Array
  readonly transactions: number
  /** Cost of all transactions in it, whoever paid. */
  readonly cumulative: MicroLamports
}

export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint
  readonly signature: Uint8Array
}

interface Versioned extends Checkpoint {
  readonly version: number
}

const CHECKPOINT = struct<Versioned>({
  version: version('the checkpoint', 1),
  log: fixed(KEY_BYTES),
  length: uint(Number.MAX_SAFE_INTEGER),
  treeHash: fixed(HASH_BYTES),
  transactions: uint(Number.MAX_SAFE_INTEGER),
  cumulative: mapped(bigUint(MAX_MICRO), (value: MicroLamports) => value, microLamports),
})

const SIGNED = struct<{ checkpoint: Versioned; signature: Uint8Array }>({
  checkpoint: CHECKPOINT,
  signature: fixed(SIGNATURE_BYTES),
})

export function signCheckpoint(checkpoint: Checkpoint, secretKey: Uint8Array): SignedCheckpoint {
  return { checkpoint, signature: sign(secretKey, 'swarmd/1/checkpoint', encode(CHECKPOINT, versioned(checkpoint))) }
}

export function verifyCheckpoint(signed: SignedCheckpoint, signer: Uint8Array): boolean {
  return verify(signed.signature, signer, 'swarmd/1/checkpoint', encode(CHECKPOINT, versioned(signed.checkpoint)))
}

export function encodeCheckpoint(signed: SignedCheckpoint): Uint8Array {
  return encode(SIGNED, { checkpoint: versioned(signed.checkpoint), signature: signed.signature })
}

/** Throws `BAD_ENCODING` or `UNKNOWN_VERSION`. */
export function decodeCheckpoint(bytes: Uint8Array): SignedCheckpoint {
  const { checkpoint, signature } = decode(SIGNED, bytes)
  const { log, length, treeHash, transactions, cumulative } = checkpoint
  return { checkpoint: { log, length, treeHash, transactions, cumulative }, signature }
}

function versioned(checkpoint: Checkpoint): Versioned {
  return { version: 1, ...checkpoint }
}
