/**
 * The models this node computes itself, from the word on the command line to an engine that answers. Each goes its own
 * way (download, hash, load) in the background; one that fails leaves the others alone.
 */
import b4a from 'b4a'
import type { Engine, ModelInfo } from './engine/port.js'
import type { ModelOptions, NodeLog, Progress } from './node-options.js'

export type LocalState = 'downloading' | 'hashing' | 'loading' | 'ready' | 'restarting' | 'failed' | 'closed'

export interface LocalModel {
  readonly options: ModelOptions
  state: LocalState
  /** 0..1000 of the present state; null where there is nothing to count. */
  progressMilli: number | null
  error: string | null
  engine: Engine | null
  /** Known once the engine is ready, and kept while it restarts. */
  info: ModelInfo | null
}

/** Opens the engine of one model: resolves once it answers. `onEngine` hands it out as soon as there is something to close. */
export type OpenEngine = (
  options: ModelOptions,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
) => Promise<Engine>

export interface LocalModelsOptions {
  readonly models: readonly ModelOptions[]
  readonly open: OpenEngine
  readonly onProgress: (progress: Progress) => void
  /** A state, a progress or a load changed. */
  readonly onChange: () => void
  /** A model answers now. */
  readonly onReady: (model: LocalModel) => void
  readonly log: NodeLog
}

const STATE_OF: Readonly<Record<Progress['kind'], LocalState>> = {
  download: 'downloading',
  hash: 'hashing',
  load: 'loading',
}

export class LocalModels {
  readonly all: readonly LocalModel[]
  #options: LocalModelsOptions
  #abort = new AbortController()
  #started: Promise<void> | null = null

  constructor(options: LocalModelsOptions) {
    this.#options = options
    this.all = options.models.map((model) => ({
      options: model,
      state: 'loading',
      progressMilli: null,
      error: null,
      engine: null,
      info: null,
    }))
  }

  /** Resolves when every model answers; rejects with the first failure, after all were tried. Idempotent. */
  start(): Promise<void> {
    return (this.#started ??= this.#start())
  }

  /** Models that answer now. */
  ready(): LocalModel[] {
    return this.all.filter((model) => model.engine !== null && model.info !== null && stateOf(model) === 'ready')
  }

  byRoot(rootHex: string): LocalModel | null {
    return this.ready().find((model) => model.info !== null && b4a.toString(model.info.root, 'hex') === rootHex) ?? null
  }

  get loading(): boolean {
    return this.all.some((model) => model.engine === null && model.state !== 'failed')
  }

  async close(): Promise<void> {
    this.#abort.abort()
    await this.#started?.catch(() => undefined)
    await Promise.allSettled(this.all.flatMap(({ engine }) => (engine ? [engine.close()] : [])))
    for (const model of this.all) model.state = 'closed'
  }

  async #start(): Promise<void> {
    const results = await Promise.allSettled(this.all.map((model) => this.#open(model)))
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  async #open(model: LocalModel): Promise<void> {
    const { open, onReady, onChange, log } = this.#options
    try {
      model.engine = await open(model.options, (progress) => this.#progressed(model, progress), this.#abort.signal)
      model.info = renamed(model.engine.info, model.options.name)
      model.state = 'ready'
      model.progressMilli = null
      log.info(
        { model: model.info.name, root: b4a.toString(model.info.root, 'hex'), context: model.info.contextLength },
        'model ready',
      )
      onReady(model)
    } catch (error) {
      model.state = 'failed'
      model.progressMilli = null
      model.error = error instanceof Error ? error.message : String(error)
      if (!this.#abort.signal.aborted) log.error({ source: model.options.source }, model.error)
      throw error
    } finally {
      onChange()
    }
  }

  #progressed(model: LocalModel, progress: Progress): void {
    model.state = STATE_OF[progress.kind]
    model.progressMilli =
      progress.total === null || progress.total === 0 ? null : Math.round((1000 * progress.done) / progress.total)
    this.#options.onProgress(progress)
    this.#options.onChange()
  }
}

/** The engine knows of its own crashes and restarts; before it exists, the loader's state counts. */
export function stateOf(model: LocalModel): LocalState {
  return model.engine?.load.state ?? model.state
}

/** A mock goes by its own name whatever it is given: it must be told from a model. */
function renamed(info: ModelInfo, name: string | null): ModelInfo {
  return name === null || info.mock ? info : { ...info, name }
}
