/**
 * The composition root: builds every part, joins them, and takes them down in reverse order. No rule lives here.
 *
 * The local API and the control socket come first and load nothing native, so that they answer within 300 ms of process
 * start; identity, swarm and engines follow in the background.
 */
import { randomBytes } from 'node:crypto'
import safetyCatch from 'safety-catch'
import { isFree } from '../ledger/price.js'
import { createProxy } from '../proxy/proxy.js'
import type { ProxyServer } from '../proxy/proxy.js'
import type { Swarm } from '../swarm/port.js'
import { mayOffer } from './chain/registration.js'
import { Consumer } from './consumer/consumer.js'
import { explainRoute } from './consumer/explanation.js'
import { SwarmRouter } from './consumer/swarm-router.js'
import type { RouteQuestion, RouteView } from './control/route.js'
import { ControlServer } from './control/server.js'
import type { NodeSnapshot } from './control/snapshot.js'
import { codeOf, DaemonError } from './errors.js'
import { SharedPeers } from './history/shared-peers.js'
import type { LedgerStreams } from './history/streams.js'
import { dealsInMoney } from './ledger-view.js'
import { LocalModels } from './local-models.js'
import type { LocalModel } from './local-models.js'
import { acquireLock } from './lock.js'
import type { DataLock } from './lock.js'
import type { Node, NodeHooks, NodeOptions, StartNode } from './node-options.js'
import { nodeSnapshot } from './node-view.js'
import type { Payments } from './payment/open.js'
import { Provider } from './provider/provider.js'
import { termsOf } from './provider/terms.js'

/** After the join, offers still arrive from peers that were just dialled. */
const SETTLE_MS = 2000
const WARNINGS_KEPT = 32
const RECORDS_MS = 3000

export const startNode: StartNode = async (options, hooks) => {
  const node = new DaemonNode(options, hooks)
  await node.open()
  return node
}

class DaemonNode implements Node {
  readonly closed: Promise<void>
  /** For the control socket: loaded with the first question. */
  readonly streams = {
    history: (params: unknown, signal: AbortSignal) => this.#ask('history', params, signal),
    budget: (params: unknown, signal: AbortSignal) => this.#ask('budget', params, signal),
    desk: (params: unknown, signal: AbortSignal) => this.#ask('desk', params, signal),
  }
  #options: NodeOptions
  #hooks: NodeHooks
  #started = Date.now()
  #state: NodeSnapshot['state'] = 'starting'
  #warnings: string[] = []
  #listeners = new Set<() => void>()
  #consumer: Consumer
  #provider: Provider
  #models: LocalModels
  #router: SwarmRouter
  #lock: DataLock | null = null
  #proxy: ProxyServer | null = null
  #control: ControlServer | null = null
  #swarm: Swarm | null = null
  #payments: Payments | null = null
  #ledger: LedgerStreams | null = null
  #sharing: SharedPeers
  #joining: boolean
  #joined = false
  #settleTimer: NodeJS.Timeout | null = null
  #ready: Promise<void> = Promise.resolve()
  #closing: Promise<void> | null = null
  #ending = new AbortController()
  #resolveClosed: () => void = () => undefined

  constructor(options: NodeOptions, hooks: NodeHooks) {
    this.#options = options
    this.#hooks = hooks
    this.#joining = options.swarm !== null
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
    this.#models = new LocalModels({
      models: options.models,
      open: async (model, onProgress, signal) => {
        const { openEngine } = await import('./open-engine.js')
        const share = Math.max(1, options.models.length)
        return openEngine(model, { share, cacheDir: options.cacheDir, onProgress, signal, log: hooks.log })
      },
      onProgress: hooks.onProgress,
      onChange: () => this.#changed(),
      onReady: (model) => this.#serve(model),
      log: hooks.log,
    })
    this.#provider = new Provider({
      models: (root) => {
        const model = this.#models.byRoot(root)
        return model?.engine ? { engine: model.engine } : null
      },
      payments: () => this.#payments,
      onLie: (peer, what) => this.#onLie(hex(peer), what),
      onChange: () => this.#notify(),
    })
    this.#sharing = new SharedPeers({
      earlier: () => this.#payments?.earlier() ?? [],
      onLie: (peer, what) => this.#onLie(peer, what),
    })
    this.#router = new SwarmRouter({
      swarm: () => this.#swarm,
      models: this.#models,
      payments: () => this.#payments,
      market: () => this.#payments?.chain?.market ?? null,
      onLie: (provider, what) => this.#onLie(provider, what),
      now: Date.now,
      random: Math.random,
    })
    this.#consumer = new Consumer({
      router: this.#router,
      aliases: options.aliases,
      version: options.version,
      settling: () => this.#joining || this.#models.loading,
      peers: () => this.#swarm?.peers().length ?? 0,
      randomBytes,
      now: Date.now,
    })
  }

  get apiUrl(): string | null {
    const base = this.#proxy?.address?.baseUrl
    return base === undefined ? null : base.replace(/\/v1$/, '')
  }

  async open(): Promise<void> {
    const { api, chain, credit, dataDir, version, swarm, models } = this.#options
    if (swarm?.network === 'public' && models.some((model) => model.source === 'mock')) {
      throw DaemonError.CONFIG_INVALID(
        'A mock engine never joins the public network. Give the name of a private one with --network NAME and its --bootstrap HOST:PORT.',
      )
    }
    const holder = { pid: process.pid, since: this.#started, version, apiUrl: null }
    this.#lock = acquireLock(dataDir, holder)
    try {
      if (api) {
        this.#proxy = createProxy({ backend: this.#consumer, ...api, log: this.#hooks.log })
        await this.#proxy.ready()
      }
      this.#control = new ControlServer({ dataDir, runtimeDir: process.env['XDG_RUNTIME_DIR'], source: this })
      await this.#control.ready()
      this.#lock.describe({ ...holder, apiUrl: this.apiUrl })
    } catch (error) {
      await this.close()
      throw error
    }
    if (credit === null && !chain && models.some((model) => !isFree(model.prices))) {
      this.#warn(
        'Prices are announced and neither --chain nor --credit is given: nobody can pay, so peers that come are refused.',
      )
    }
    this.#ready = this.#start()
    this.#ready.catch(safetyCatch)
  }

  ready(): Promise<void> {
    return this.#ready
  }

  snapshot(): NodeSnapshot {
    return nodeSnapshot({
      options: this.#options,
      started: this.#started,
      state: this.#state,
      apiUrl: this.apiUrl,
      swarm: this.#swarm,
      joining: this.#joining,
      models: this.#models.all,
      cards: this.#consumer.models(),
      requests: this.#consumer.counters,
      provided: this.#provider.counters,
      payments: this.#payments,
      warnings: this.#warnings,
    })
  }

  explain(question: RouteQuestion): RouteView {
    const market = this.#payments?.chain?.market ?? null
    return explainRoute(this.#router, this.#consumer.entry(question.model), question, market)
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  stop(): void {
    this.close().catch(safetyCatch)
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  /** What cannot be joined or served fails the promise, not the node. */
  async #start(): Promise<void> {
    try {
      await this.#openPayments()
    } catch (error) {
      await this.#withoutPayments(error)
    }
    const [joined, served] = await Promise.allSettled([this.#join(), this.#models.start()])
    if (this.#state === 'starting') this.#state = 'ready'
    this.#publish()
    if (joined.status === 'rejected') this.#joining = false
    this.#changed()
    for (const part of [joined, served]) if (part.status === 'rejected') throw part.reason
  }

  /** A seed that must not be used is told before minutes go into a model. The ledger opens beside everything else. */
  async #openPayments(): Promise<void> {
    const [{ openPayments }, { openIdentity }] = await Promise.all([
      import('./payment/open.js'),
      import('./identity.js'),
    ])
    const identity = this.#options.identity ?? openIdentity(this.#options.dataDir)
    const genesis = await this.#genesis()
    if (this.#closing) return
    this.#payments = openPayments({
      options: { ...this.#options, identity },
      genesis,
      swarm: () => this.#swarm,
      complain: (message) => this.#warn(message),
      onLie: (peer, what) => this.#onLie(hex(peer), what),
      now: this.#hooks.now ?? Date.now,
    })
    this.#payments.books.store().then(() => this.#recording(), safetyCatch)
    this.#payments.chain?.market.onChange(() => this.#changed())
    this.#payments.chain?.registration?.onDone(() => this.#serveAll())
    this.#payments.chain?.start()
  }

  /**
   * A chain that says nothing when a node first starts leaves open which network is meant: it is asked again in the
   * background, and the network joined then. Everything else ends the start.
   */
  async #withoutPayments(error: unknown): Promise<void> {
    const { chain, dataDir } = this.#options
    if (!chain || !(error instanceof Error) || !codeOf(error)?.startsWith('RPC_')) {
      this.#state = 'ready'
      this.#joining = false
      this.#changed()
      throw error
    }
    this.#warn(
      `${error.message} The swarm is joined once the chain has said which one it is; until then nobody is met.`,
    )
    const { awaitGenesis } = await import('./chain/genesis.js')
    awaitGenesis(dataDir, chain, this.#ending.signal)
      .then(() => this.#joinLate())
      .catch((late: unknown) => {
        if (!this.#closing) this.#warn(late instanceof Error ? late.message : String(late))
      })
  }

  async #joinLate(): Promise<void> {
    if (this.#closing) return
    await this.#openPayments()
    await this.#join()
    this.#publish()
  }

  /** 32 bytes: the chain that this data folder belongs to; null = none is used. */
  async #genesis(): Promise<Uint8Array | null> {
    const { chain, dataDir } = this.#options
    if (!chain) return null
    const { chainGenesis } = await import('./chain/genesis.js')
    return chainGenesis(dataDir, chain)
  }

  /** The ledger is open. */
  #recording(): void {
    this.#notify()
    if (!dealsInMoney(this.#options)) return
    this.#streams()
      .then((ledger) => ledger.keepEarnings())
      .catch(safetyCatch)
  }

  async *#ask(what: 'history' | 'budget' | 'desk', params: unknown, signal: AbortSignal): AsyncGenerator<unknown> {
    yield* (await this.#streams()).streams[what](params, signal)
  }

  async #streams(): Promise<LedgerStreams> {
    const { LedgerStreams } = await import('./history/streams.js')
    if (this.#closing && !this.#ledger) throw DaemonError.NOT_RUNNING('The node is ending.')
    return (this.#ledger ??= new LedgerStreams({
      dataDir: this.#options.dataDir,
      terms: this.#options,
      parts: () => this.#payments,
      models: () => this.#consumer.models(),
      copies: () => (this.#swarm ? this.#sharing : null),
    }))
  }

  async #close(): Promise<void> {
    this.#ending.abort()
    this.#state = 'stopping'
    this.#notify()
    if (this.#settleTimer) clearTimeout(this.#settleTimer)
    // Callers hear of it first, then peers, then the engines that worked for both.
    await this.#attempt('api', this.#proxy?.close())
    // Receipts and signatures that are on their way still arrive; the rest is written half-signed.
    await this.#attempt('records', this.#payments?.books.settle(RECORDS_MS))
    await this.#attempt('swarm', this.#swarm?.close())
    await this.#attempt('history', this.#ledger?.close())
    await this.#attempt('ledger', this.#payments?.close())
    await this.#attempt('models', this.#models.close())
    await this.#attempt('control', this.#control?.close())
    this.#lock?.release()
    this.#resolveClosed()
  }

  async #attempt(what: string, closing: Promise<void> | undefined): Promise<void> {
    try {
      await closing
    } catch (error) {
      this.#hooks.log.warn(
        { part: what, error: error instanceof Error ? error.message : String(error) },
        'did not close cleanly',
      )
    }
  }

  async #join(): Promise<void> {
    const { swarm: settings } = this.#options
    const payments = this.#payments
    if (settings === null || !payments) return
    const { createSwarm } = await import('./create-swarm.js')
    if (this.#closing) return
    const swarm = createSwarm(settings, this.#options, payments, (ask) => this.#provider.handle(ask), this.#sharing)
    this.#swarm = swarm
    swarm.on('offers', () => this.#changed())
    swarm.on('peers', () => this.#notify())
    try {
      await swarm.ready()
    } catch (error) {
      this.#warn(`The swarm could not be joined: ${error instanceof Error ? error.message : String(error)}`)
    }
    if (this.#closing) return
    this.#joined = true
    this.#serveAll()
    this.#settleTimer = setTimeout(() => this.#settled(), SETTLE_MS)
    this.#settleTimer.unref()
    this.#changed()
  }

  /** Told by whoever checks what peers sign: said to the owner, and counted by the swarm. */
  #onLie(peer: string, what: string): void {
    this.#hooks.log.warn({ peer, what }, 'a peer signed or told what is not so')
    this.#swarm?.strike(Buffer.from(peer, 'hex'), what)
  }

  #settled(): void {
    this.#joining = false
    this.#changed()
  }

  #serveAll(): void {
    for (const model of this.#models.ready()) this.#serve(model)
  }

  /** What has a price is told to nobody before there is a way to pay it. */
  #serve(model: LocalModel): void {
    if (!this.#swarm || !this.#joined || !model.info || this.#closing) return
    if (!mayOffer(model.options.prices, this.#payments?.chain?.registration)) return
    this.#swarm.serve(termsOf(model.info, model.options))
    this.#publish()
    this.#changed()
  }

  /** Tells the chain, where there is one. */
  #publish(): void {
    const served = this.#models.all.filter(({ state }) => state !== 'failed' && state !== 'closed')
    const terms = served.flatMap(({ info, options }) => (info ? [termsOf(info, options)] : []))
    this.#payments?.chain?.market.serves({ terms, complete: !this.#models.loading })
  }

  #warn(message: string): void {
    this.#hooks.log.warn({}, message)
    this.#warnings = [...this.#warnings, message].slice(-WARNINGS_KEPT)
    this.#notify()
  }

  /** What can be reached may have changed. */
  #changed(): void {
    this.#consumer.changed()
    this.#notify()
  }

  #notify(): void {
    for (const listener of this.#listeners) listener()
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
