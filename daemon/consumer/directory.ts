/**
 * The models a caller can name, kept up to date: built from router and measurements when something changed, and waited for
 * while the node still finds its peers.
 */
import b4a from 'b4a'
import { catalog, nearNames, resolve } from './catalog.js'
import type { CatalogEntry } from './catalog.js'
import { ConsumerError } from './errors.js'
import { MeasuredModels } from './measured.js'
import type { Router } from './router.js'

export interface DirectoryOptions {
  readonly router: Pick<Router, 'localModels' | 'offers' | 'lookUp' | 'listings' | 'connected' | 'meet'>
  readonly aliases: Readonly<Record<string, string>>
  /** True while models may still appear by themselves: the swarm is being joined, a local model loads. */
  readonly settling: () => boolean
  /** Unix milliseconds. */
  readonly now: () => number
}

/** How long a request for an unknown model waits while the node is still finding its peers. */
const DISCOVERY_MS = 10_000
const NOBODY: ReadonlySet<string> = new Set()
const MODEL_ROOT = /^[0-9a-f]{64}$/i
/** Built again at most this often when only measurements changed. */
const STALE_MS = 1000
const RETRY_MS = 5000

export class Directory {
  readonly measured = new MeasuredModels()
  #options: DirectoryOptions
  #firstSeen = new Map<string, number>()
  #entries: CatalogEntry[] | null = null
  #builtAt = 0
  #waiters = new Set<() => void>()

  constructor(options: DirectoryOptions) {
    this.#options = options
  }

  /** Offers, local models or the joining state changed. */
  changed(): void {
    this.#entries = null
    for (const wake of this.#waiters) wake()
  }

  entries(): readonly CatalogEntry[] {
    const { router, aliases, now } = this.#options
    const at = now()
    if (this.#entries && at - this.#builtAt < STALE_MS) return this.#entries
    const local = router.localModels()
    const offers = router.offers()
    const listings = router.listings()
    const roots = [
      ...local.map(({ root }) => root),
      ...[...offers, ...(listings ?? [])].map(({ modelRoot }) => modelRoot),
    ]
    for (const root of roots) {
      const key = b4a.toString(root, 'hex')
      if (!this.#firstSeen.has(key)) this.#firstSeen.set(key, at)
    }
    const entries = catalog({
      local,
      offers,
      listings,
      connected: listings ? router.connected() : NOBODY,
      aliases,
      measured: this.measured.byRoot,
      firstSeen: this.#firstSeen,
    })
    this.#entries = entries
    this.#builtAt = at
    return entries
  }

  /** Without waiting for any. `model` null = the most trusted one. Throws `MODEL_NOT_FOUND`. */
  reachable(model: string | null): CatalogEntry {
    const entries = this.entries()
    const entry = model === null ? entries[0] : resolve(entries, this.#options.aliases, model)
    if (entry) return entry
    throw ConsumerError.MODEL_NOT_FOUND(model ?? 'any', nearNames(entries, model ?? ''))
  }

  /** The entry as it is now: offers change while a request waits. */
  refreshed(entry: CatalogEntry): CatalogEntry {
    return this.entries().find(({ root }) => root === entry.root) ?? entry
  }

  /** Throws `MODEL_NOT_FOUND` with near names, `NOT_READY` when the node is still joining after a while, or the abort's reason. */
  async find(model: string, signal: AbortSignal): Promise<CatalogEntry> {
    const { aliases, settling, router } = this.#options
    // A root is a topic of its own: its providers can be found even if the lobby never spoke of them.
    let unknownRoot = MODEL_ROOT.test(model)
    const until = performance.now() + DISCOVERY_MS
    for (;;) {
      signal.throwIfAborted()
      const entry = resolve(this.entries(), aliases, model)
      if (entry) return isOffered(entry) ? entry : this.#meet(entry, signal)
      if (unknownRoot) {
        unknownRoot = false
        await router.lookUp(model.toLowerCase())
        this.#entries = null
        continue
      }
      if (!settling()) throw ConsumerError.MODEL_NOT_FOUND(model, nearNames(this.entries(), model))
      const left = until - performance.now()
      if (left <= 0) throw ConsumerError.NOT_READY()
      await this.#change(left, signal)
    }
  }

  /** A model that only the chain speaks of: its providers have to be met first. */
  async #meet(entry: CatalogEntry, signal: AbortSignal): Promise<CatalogEntry> {
    await this.#options.router.meet(entry, signal)
    signal.throwIfAborted()
    this.#entries = null
    const now = this.refreshed(entry)
    if (isOffered(now)) return now
    const count = `${entry.listings.length} × on the chain, and not reached`
    throw ConsumerError.NO_PROVIDER(entry.card.id, [count], RETRY_MS)
  }

  /** Resolves at the next `changed()`, after `ms`, or when aborted. */
  #change(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        this.#waiters.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      signal.addEventListener('abort', wake, { once: true })
      this.#waiters.add(wake)
    })
  }
}

function isOffered({ local, offers }: CatalogEntry): boolean {
  return local || offers.length > 0
}
