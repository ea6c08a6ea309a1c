/**
 * The vouchers that this node has signed (as a consumer) and holds (as a provider), by channel, the highest of each.
 *
 * A voucher is on the disk before it is signed, and on the disk before anything is served for it. So after any crash the
 * consumer knows at least what it has promised, and the provider still holds the highest voucher that it has served for.
 *
 * A chain takes no voucher above a channel's deposit, and a fork may take back a larger deposit that both sides have seen.
 * So the last voucher within the deposit of before is kept beside the highest one.
 *
 *   s/CHANNEL  the newest signed      h/CHANNEL  the highest held, with its signature
 *   l/CHANNEL  the last one held before one needed a larger deposit      d/CHANNEL  that larger deposit, u64 LE
 */
import b4a from 'b4a'
import type { Lamports } from '../amount.js'
import { LedgerError } from '../errors.js'
import { checkVoucher, decodeVoucher, encodeVoucher, signVoucher, VOUCHER_BYTES } from '../voucher.js'
import type { SignedVoucher, Voucher, VoucherRule } from '../voucher.js'
import { Journal } from './journal.js'
import type { Change } from './journal-frames.js'
import type { JournalFile } from './journal.js'
import type { FileHandle } from 'node:fs/promises'

export class VoucherStore {
  readonly #journal: Journal
  /** Newest by channel, written or about to be: what the next one must exceed. */
  readonly #signed = new Map<string, Voucher>()
  readonly #held = new Map<string, SignedVoucher>()
  readonly #lower = new Map<string, SignedVoucher>()
  /** The deposit that the highest ones held have needed; after a start without `d/`, what they say themselves. */
  readonly #covered = new Map<string, bigint>()

  private constructor(journal: Journal) {
    this.#journal = journal
    for (const [key, bytes] of journal.entries()) {
      const channel = key.slice(2)
      if (key.startsWith('s/')) this.#signed.set(channel, decodeVoucher(bytes))
      else if (key.startsWith('d/')) this.#covered.set(channel, viewOf(bytes).getBigUint64(0, true))
      else (key.startsWith('l/') ? this.#lower : this.#held).set(channel, decodeSigned(bytes))
    }
    for (const [channel, { voucher }] of this.#held)
      if (!this.#covered.has(channel)) this.#covered.set(channel, voucher.cumulative)
  }

  /** Throws `STORE_CORRUPT` or `STORE_WRITE_FAILED`. */
  static async open(path: string, wrap?: (file: FileHandle) => JournalFile): Promise<VoucherStore> {
    return new VoucherStore(await Journal.open(path, wrap))
  }

  /**
   * Signs once it is durable. The newest one again gives the same bytes; anything else that is not higher throws
   * `VOUCHER_NOT_HIGHER`, and above the deposit `VOUCHER_OVER_DEPOSIT`.
   */
  async sign(voucher: Voucher, deposit: Lamports, secretKey: Uint8Array): Promise<SignedVoucher> {
    const channel = b4a.toString(voucher.channel, 'hex')
    const last = this.#signed.get(channel)
    const bytes = encodeVoucher(voucher)
    const again = last !== undefined && b4a.equals(bytes, encodeVoucher(last))
    if (voucher.cumulative > deposit) throw LedgerError.VOUCHER_OVER_DEPOSIT(voucher.cumulative, deposit)
    if (!again && voucher.cumulative <= (last?.cumulative ?? 0n)) {
      throw LedgerError.VOUCHER_NOT_HIGHER(voucher.cumulative, last?.cumulative ?? 0n)
    }
    this.#signed.set(channel, voucher)
    if (!again || !this.#isDurable(`s/${channel}`, bytes))
      await this.#journal.write(again ? [] : [[`s/${channel}`, bytes]])
    return signVoucher(voucher, secretKey)
  }

  /**
   * Takes a peer's voucher: resolves when it is durable, and only then may more be served. Throws what `checkVoucher`
   * throws, and `STORE_WRITE_FAILED`.
   */
  async accept(signed: SignedVoucher, rule: Omit<VoucherRule, 'held'>): Promise<'higher' | 'known'> {
    const channel = b4a.toString(signed.voucher.channel, 'hex')
    const held = this.#held.get(channel)
    const bytes = encodeSigned(signed)
    const { cumulative, expiresAt } = signed.voucher
    // Shown again with each ask: the same bytes were checked when they came, and a channel's signer never changes.
    const again = held?.voucher.cumulative === cumulative && this.#isDurable(`h/${channel}`, bytes)
    if (again && expiresAt === 0n && cumulative <= rule.deposit && b4a.equals(signed.voucher.channel, rule.channel))
      return 'known'
    const result = checkVoucher(signed, { ...rule, held: held?.voucher ?? null })
    // A known one may still be on its way to the disk: writes keep their order, so an empty one waits for it.
    const changes: Change[] = result === 'higher' ? [[`h/${channel}`, bytes], ...this.#cover(signed, rule.deposit)] : []
    if (result === 'higher') this.#held.set(channel, signed)
    await this.#journal.write(changes)
    return result
  }

  /** The newest voucher signed on this channel: where a consumer goes on after a start. */
  lastSigned(channel: Uint8Array): Voucher | null {
    return this.#signed.get(b4a.toString(channel, 'hex')) ?? null
  }

  /** The newest voucher of every channel that this node pays on. */
  allSigned(): Voucher[] {
    return [...this.#signed.values()]
  }

  /** The highest voucher held: what a provider settles with. */
  held(channel: Uint8Array): SignedVoucher | null {
    return this.#held.get(b4a.toString(channel, 'hex')) ?? null
  }

  /** The highest voucher held that this deposit covers: what a chain with this deposit takes. */
  claimable(channel: Uint8Array, deposit: Lamports): SignedVoucher | null {
    const lower = this.#lower.get(b4a.toString(channel, 'hex')) ?? null
    return [this.held(channel), lower].find((signed) => signed && signed.voucher.cumulative <= deposit) ?? null
  }

  /** Every channel on which something can be settled. */
  allHeld(): SignedVoucher[] {
    return [...this.#held.values()]
  }

  /** A channel that is closed on chain: its address is never used again. */
  async drop(channel: Uint8Array): Promise<void> {
    const name = b4a.toString(channel, 'hex')
    await this.#journal.write(['s', 'h', 'l', 'd'].map((kind) => [`${kind}/${name}`, null] as const))
    for (const map of [this.#signed, this.#held, this.#lower, this.#covered]) map.delete(name)
  }

  /** When a voucher needs a larger deposit than all before it, the last one of those is kept. */
  #cover({ voucher }: SignedVoucher, deposit: Lamports): Change[] {
    const channel = b4a.toString(voucher.channel, 'hex')
    const covered = this.#covered.get(channel)
    if (covered !== undefined && voucher.cumulative <= covered) return []
    const last = this.#held.get(channel)
    this.#covered.set(channel, deposit)
    const bytes = b4a.alloc(8)
    viewOf(bytes).setBigUint64(0, deposit, true)
    if (!last) return []
    this.#lower.set(channel, last)
    return [
      [`d/${channel}`, bytes],
      [`l/${channel}`, encodeSigned(last)],
    ]
  }

  /** What is there already waits for nobody else's write. */
  #isDurable(key: string, bytes: Uint8Array): boolean {
    const known = this.#journal.get(key)
    return known !== null && b4a.equals(known, bytes)
  }

  async close(): Promise<void> {
    await this.#journal.close()
  }
}

function encodeSigned({ voucher, signature }: SignedVoucher): Uint8Array {
  return b4a.concat([encodeVoucher(voucher), signature])
}

function decodeSigned(bytes: Uint8Array): SignedVoucher {
  return { voucher: decodeVoucher(bytes.subarray(0, VOUCHER_BYTES)), signature: bytes.subarray(VOUCHER_BYTES) }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
