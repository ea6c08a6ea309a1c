/**
 * The vouchers that this node has signed (as a consumer) and holds (as a provider), by channel, the highest of each.
 *
 * A voucher is on the disk before it is signed, and on the disk before anything is served for it. So after any crash the
 * consumer knows at least what it has promised, and the provider still holds the highest voucher that it has served for.
 */
import b4a from 'b4a'
import type { Lamports } from '../amount.js'
import { LedgerError } from '../errors.js'
import { checkVoucher, decodeVoucher, encodeVoucher, signVoucher, VOUCHER_BYTES } from '../voucher.js'
import type { SignedVoucher, Voucher, VoucherRule } from '../voucher.js'
import { Journal } from './journal.js'
import type { JournalFile } from './journal.js'
import type { FileHandle } from 'node:fs/promises'

export class VoucherStore {
  readonly #journal: Journal
  /** Newest by channel, written or about to be: what the next one must exceed. */
  readonly #signed = new Map<string, Voucher>()
  readonly #held = new Map<string, SignedVoucher>()

  private constructor(journal: Journal) {
    this.#journal = journal
    for (const [key, bytes] of journal.entries()) {
      const voucher = decodeVoucher(bytes.subarray(0, VOUCHER_BYTES))
      const channel = key.slice(2)
      if (key.startsWith('s/')) this.#signed.set(channel, voucher)
      else this.#held.set(channel, { voucher, signature: bytes.subarray(VOUCHER_BYTES) })
    }
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
    const bytes = b4a.concat([encodeVoucher(signed.voucher), signed.signature])
    const { cumulative, expiresAt } = signed.voucher
    // Shown again with each ask: the same bytes were checked when they came, and a channel's signer never changes.
    const again = held?.voucher.cumulative === cumulative && this.#isDurable(`h/${channel}`, bytes)
    if (again && expiresAt === 0n && cumulative <= rule.deposit && b4a.equals(signed.voucher.channel, rule.channel))
      return 'known'
    const result = checkVoucher(signed, { ...rule, held: held?.voucher ?? null })
    if (result === 'higher') this.#held.set(channel, signed)
    // A known one may still be on its way to the disk: writes keep their order, so an empty one waits for it.
    await this.#journal.write(result === 'higher' ? [[`h/${channel}`, bytes]] : [])
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

  /** Every channel on which something can be settled. */
  allHeld(): SignedVoucher[] {
    return [...this.#held.values()]
  }

  /** A channel that is closed on chain: its address is never used again. */
  async drop(channel: Uint8Array): Promise<void> {
    const name = b4a.toString(channel, 'hex')
    await this.#journal.write([
      [`s/${name}`, null],
      [`h/${name}`, null],
    ])
    this.#signed.delete(name)
    this.#held.delete(name)
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
