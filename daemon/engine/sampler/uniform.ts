/**
 * The one random number of an output position: a keyed hash, no generator state, so a stream can be continued or checked
 * at any position.
 *
 *   key = BLAKE2b-256("swarmd/icdf-1" ‖ 00 ‖ u64le(seed))
 *   h   = BLAKE2b-256(key, u64le(position))
 *   u   = (h[0..8) as u64le >> 12 + 1/2) / 2^52        exactly representable, in (0, 1)
 */
import sodium from 'sodium-native'

const DOMAIN = Buffer.from('swarmd/icdf-1\0', 'latin1')

export class Uniform {
  readonly #key = new Uint8Array(32)
  readonly #position = new Uint8Array(8)
  readonly #hash = new Uint8Array(32)
  readonly #positionView = new DataView(this.#position.buffer)
  readonly #hashView = new DataView(this.#hash.buffer)

  /** `seed`: u64. */
  constructor(seed: bigint) {
    const input = new Uint8Array(DOMAIN.length + 8)
    input.set(DOMAIN)
    new DataView(input.buffer).setBigUint64(DOMAIN.length, BigInt.asUintN(64, seed), true)
    sodium.crypto_generichash(this.#key, input)
  }

  at(position: number): number {
    this.#positionView.setUint32(0, position >>> 0, true)
    this.#positionView.setUint32(4, Math.floor(position / 0x100000000), true)
    sodium.crypto_generichash(this.#hash, this.#position, this.#key)
    const low = this.#hashView.getUint32(0, true)
    const high = this.#hashView.getUint32(4, true)
    return (high * 0x100000 + (low >>> 12) + 0.5) / 0x10000000000000
  }
}
