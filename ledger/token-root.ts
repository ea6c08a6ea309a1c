/**
 * The Merkle root over windows of 32 output positions, so that one window can be shown to an auditor without the rest.
 *
 *   position = token u32 LE | `width` times (token u32 LE | logprob i16 LE, 1/1024 nat)        52 bytes at width 8
 *   leaf     = H('swarmd/1/token-leaf', salt 32 | window u32 LE | positions)
 *   node     = H('swarmd/1/token-node', left | right)      left: the largest power of two of leaves below all (RFC 6962)
 *   root     = H('swarmd/1/token-root', width u8 | positions u32 LE | top node, or nothing without positions)
 *
 * Every position shows exactly `width` candidates and the root says how many: neither padding nor leaving out gives the
 * same root. Salts come from the content key, window by window: showing one window helps nobody to guess another.
 */
import b4a from 'b4a'
import { HASH_BYTES, hash, keyedHash } from './crypto.js'
import { LedgerError } from './errors.js'

export const WINDOW = 32
export const TOP = 8
/** 2^20 output positions, so at most 15 hashes in a proof. */
export const MAX_POSITIONS = 2 ** 20
const MAX_PROOF = Math.log2(MAX_POSITIONS / WINDOW)

/** `width`: 8, or 0 for engines that show no logprobs (the mock, embeddings). */
export type Width = 0 | typeof TOP

export interface OutputPosition {
  readonly token: number
  /** The best 8, best first; `logprob` in nats, at most 0. Ignored at width 0. */
  readonly top: readonly { readonly token: number; readonly logprob: number }[]
}

export interface WindowProof {
  readonly window: number
  /** The leaf's positions, `positions` above. */
  readonly bytes: Uint8Array
  /** 32 bytes. */
  readonly salt: Uint8Array
  /** Siblings from the leaf up. */
  readonly path: readonly Uint8Array[]
}

/** Grows while tokens stream; keeps 52 bytes a position for the audit window. */
export class TokenLog {
  readonly width: Width
  readonly #contentKey: Uint8Array
  readonly #windows: Uint8Array[] = []
  #open = b4a.alloc(0)
  #fill = 0
  #count = 0

  constructor(contentKey: Uint8Array, width: Width) {
    this.#contentKey = contentKey
    this.width = width
  }

  /**
   * The log of an answer whose positions are encoded already, `positions` above. Throws `BAD_ENCODING` for half a position,
   * `TOKENS_OUT_OF_RANGE` for too many.
   */
  static from(contentKey: Uint8Array, width: Width, positions: Uint8Array): TokenLog {
    const size = positionBytes(width)
    const count = positions.byteLength / size
    if (!Number.isInteger(count)) throw LedgerError.BAD_ENCODING('half a position')
    if (count > MAX_POSITIONS) throw LedgerError.TOKENS_OUT_OF_RANGE(`more than ${MAX_POSITIONS} positions`)
    const log = new TokenLog(contentKey, width)
    const whole = count - (count % WINDOW)
    for (let at = 0; at < whole; at += WINDOW) log.#windows.push(positions.slice(at * size, (at + WINDOW) * size))
    log.#open = b4a.alloc(WINDOW * size)
    log.#open.set(positions.subarray(whole * size))
    log.#fill = count - whole
    log.#count = count
    return log
  }

  get positions(): number {
    return this.#count
  }

  get windows(): number {
    return Math.ceil(this.#count / WINDOW)
  }

  /** Throws `TOKENS_OUT_OF_RANGE`: a token that is no u32, other than `width` candidates, too many positions. */
  push(position: OutputPosition): void {
    if (this.#count === MAX_POSITIONS) throw LedgerError.TOKENS_OUT_OF_RANGE(`more than ${MAX_POSITIONS} positions`)
    const bytes = encodePosition(position, this.width)
    if (this.#fill === 0) this.#open = b4a.alloc(WINDOW * bytes.byteLength)
    this.#open.set(bytes, this.#fill * bytes.byteLength)
    this.#count++
    if (++this.#fill < WINDOW) return
    this.#windows.push(this.#open)
    this.#fill = 0
  }

  root(): Uint8Array {
    const leaves = this.#leaves()
    return rootOf(this.width, this.#count, leaves.length === 0 ? null : treeOf(leaves))
  }

  /** Throws `TOKENS_OUT_OF_RANGE` for a window that is not there. */
  prove(window: number): WindowProof {
    const bytes = this.#bytesOf()[window]
    if (!bytes) throw LedgerError.TOKENS_OUT_OF_RANGE(`there is no window ${window}`)
    return { window, bytes, salt: saltOf(this.#contentKey, window), path: pathOf(this.#leaves(), window) }
  }

  #bytesOf(): Uint8Array[] {
    if (this.#fill === 0) return this.#windows
    return [...this.#windows, this.#open.subarray(0, this.#fill * positionBytes(this.width))]
  }

  #leaves(): Uint8Array[] {
    return this.#bytesOf().map((bytes, window) => leafOf(saltOf(this.#contentKey, window), window, bytes))
  }
}

/** True when `proof` shows the positions of its window in the answer that `root` commits to. Never throws. */
export function verifyWindow(root: Uint8Array, width: Width, positions: number, proof: WindowProof): boolean {
  const { window, bytes, salt, path } = proof
  const windows = Math.ceil(positions / WINDOW)
  const sane = Number.isSafeInteger(positions) && positions <= MAX_POSITIONS && Number.isSafeInteger(window)
  if (!sane || window < 0 || window >= windows || path.length > MAX_PROOF) return false
  const size = Math.min(WINDOW, positions - window * WINDOW)
  if (bytes.byteLength !== size * positionBytes(width) || salt.byteLength !== HASH_BYTES) return false
  if (path.some((sibling) => sibling.byteLength !== HASH_BYTES)) return false
  const top = climb(leafOf(salt, window, bytes), window, windows, path)
  return top !== null && b4a.equals(rootOf(width, positions, top), root)
}

/** Tokens of encoded positions. Throws `BAD_ENCODING`. */
export function tokensOf(positions: Uint8Array, width: Width): number[] {
  const size = positionBytes(width)
  if (positions.byteLength % size !== 0) throw LedgerError.BAD_ENCODING('half a position')
  const view = new DataView(positions.buffer, positions.byteOffset, positions.byteLength)
  return Array.from({ length: positions.byteLength / size }, (_, i) => view.getUint32(i * size, true))
}

/** Nats to 1/1024 nat, rounded to the nearest and clamped to an int16: −∞ becomes −32. */
export function quantiseLogprob(logprob: number): number {
  return Math.max(-32768, Math.min(32767, Math.round(logprob * 1024)))
}

/** Positions of a shown window. Throws `BAD_ENCODING` when `bytes` is no whole number of positions. */
export function decodeWindow(bytes: Uint8Array, width: Width): OutputPosition[] {
  const size = positionBytes(width)
  if (bytes.byteLength % size !== 0) throw LedgerError.BAD_ENCODING('half a position')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.byteLength / size }, (_, i) => ({
    token: view.getUint32(i * size, true),
    top: Array.from({ length: width }, (__, j) => ({
      token: view.getUint32(i * size + 4 + j * 6, true),
      logprob: view.getInt16(i * size + 8 + j * 6, true) / 1024,
    })),
  }))
}

function encodePosition(position: OutputPosition, width: Width): Uint8Array {
  const top = width === 0 ? [] : position.top
  const tokens = [position.token, ...top.map(({ token }) => token)]
  if (top.length !== width) throw LedgerError.TOKENS_OUT_OF_RANGE(`${top.length} candidates instead of ${width}`)
  if (tokens.some((token) => token !== token >>> 0)) throw LedgerError.TOKENS_OUT_OF_RANGE('a token that is no u32')
  if (top.some(({ logprob }) => Number.isNaN(logprob))) throw LedgerError.TOKENS_OUT_OF_RANGE('a logprob of NaN')
  const out = b4a.allocUnsafe(positionBytes(width))
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength)
  view.setUint32(0, position.token, true)
  top.forEach(({ token, logprob }, i) => {
    view.setUint32(4 + i * 6, token, true)
    view.setInt16(8 + i * 6, quantiseLogprob(logprob), true)
  })
  return out
}

function positionBytes(width: Width): number {
  return 4 + width * 6
}

function saltOf(contentKey: Uint8Array, window: number): Uint8Array {
  return keyedHash(contentKey, 'swarmd/1/content/window-salt', u32(window))
}

function leafOf(salt: Uint8Array, window: number, bytes: Uint8Array): Uint8Array {
  return hash('swarmd/1/token-leaf', salt, u32(window), bytes)
}

function rootOf(width: Width, positions: number, top: Uint8Array | null): Uint8Array {
  return hash('swarmd/1/token-root', Uint8Array.of(width), u32(positions), ...(top ? [top] : []))
}

function treeOf(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves
  if (first && leaves.length === 1) return first
  const left = leftOf(leaves.length)
  return hash('swarmd/1/token-node', treeOf(leaves.slice(0, left)), treeOf(leaves.slice(left)))
}

function pathOf(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (leaves.length <= 1) return []
  const left = leftOf(leaves.length)
  return index < left
    ? [...pathOf(leaves.slice(0, left), index), treeOf(leaves.slice(left))]
    : [...pathOf(leaves.slice(left), index - left), treeOf(leaves.slice(0, left))]
}

/** The top node that `path` leads to from a leaf; null when the path has another length than the tree asks for. */
function climb(leaf: Uint8Array, index: number, count: number, path: readonly Uint8Array[]): Uint8Array | null {
  if (count === 1) return path.length === 0 ? leaf : null
  const sibling = path.at(-1)
  if (!sibling) return null
  const left = leftOf(count)
  const rest = path.slice(0, -1)
  if (index < left) {
    const below = climb(leaf, index, left, rest)
    return below && hash('swarmd/1/token-node', below, sibling)
  }
  const below = climb(leaf, index - left, count - left, rest)
  return below && hash('swarmd/1/token-node', sibling, below)
}

/** The largest power of two below `count`. */
function leftOf(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1))
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24)
}
