/**
 * Names of models by their roots. The log holds roots alone, because names are a matter of opinion; this file remembers
 * under which name this node knew a model. It is a convenience: without it the history shows roots.
 */
import b4a from 'b4a'
import { Journal } from '../../ledger/store/journal.js'

const MAX_NAME_BYTES = 256

export class ModelNames {
  readonly #journal: Journal

  private constructor(journal: Journal) {
    this.#journal = journal
  }

  /** Opens or makes the file. Throws `STORE_CORRUPT` or `STORE_WRITE_FAILED`. */
  static async open(path: string): Promise<ModelNames> {
    return new ModelNames(await Journal.open(path))
  }

  /** `root`: hex. A later name replaces an earlier one. */
  async learn(root: string, name: string): Promise<void> {
    const bytes = b4a.from(name)
    if (this.nameOf(root) === name || bytes.byteLength > MAX_NAME_BYTES) return
    await this.#journal.write([[root, bytes]])
  }

  nameOf(root: string): string | null {
    const bytes = this.#journal.get(root)
    return bytes && b4a.toString(bytes)
  }

  /** The root of the one model with this name, or whose name begins with it; null when there is none, or several. */
  rootOf(given: string): Uint8Array | null {
    const wanted = given.toLowerCase()
    const all = [...this.#journal.entries()].map(([root, bytes]) => ({ root, name: b4a.toString(bytes).toLowerCase() }))
    const exact = all.filter(({ name }) => name === wanted)
    const found = exact.length > 0 ? exact : all.filter(({ name }) => name.startsWith(wanted))
    const [first] = found
    return first && found.length === 1 ? b4a.from(first.root, 'hex') : null
  }

  async close(): Promise<void> {
    await this.#journal.close()
  }
}
