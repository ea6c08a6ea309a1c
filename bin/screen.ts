/**
 * What a person sees of something that takes time: bars on a terminal, plain lines elsewhere, nothing under `--json`. Log lines
 * and bars share the terminal, so both go through here.
 */
import { basename, isAbsolute } from 'node:path'
import type { MultiBar, SingleBar } from 'cli-progress'
import type { Progress } from '../daemon/node-options.js'
import type { Io } from './io.js'
import { bytes } from './words.js'

export interface Screen {
  /** A line for people, without its end. */
  line(text: string): void
  progress(progress: Progress): void
  /** Takes the bars away. Idempotent. */
  stop(): void
}

const VERBS: Readonly<Record<Progress['kind'], readonly [doing: string, done: string]>> = {
  download: ['Downloading', 'Downloaded'],
  hash: ['Hashing', 'Hashed'],
  load: ['Loading', 'Loaded'],
}
/** Plain lines come at the start, at each of these steps and at the end. */
const STEPS = 4
const BAR_COLUMNS = 28

export function createScreen(io: Io, json: boolean): Screen {
  if (json) return { line: () => undefined, progress: () => undefined, stop: () => undefined }
  return io.stdout.isTTY ? new BarScreen(io) : new LineScreen(io)
}

class LineScreen implements Screen {
  readonly #io: Io
  readonly #told = new Map<string, number>()

  constructor(io: Io) {
    this.#io = io
  }

  line(text: string): void {
    this.#io.out(`${text}\n`)
  }

  progress(progress: Progress): void {
    const name = `${progress.kind} ${progress.model}`
    const step = progress.finished
      ? STEPS
      : progress.total === null
        ? 0
        : Math.floor((STEPS * progress.done) / Math.max(1, progress.total))
    const told = this.#told.get(name)
    if (progress.finished) this.#told.delete(name)
    else if (told !== undefined && told >= step) return
    else this.#told.set(name, step)
    this.line(describe(progress))
  }

  stop(): void {
    this.#told.clear()
  }
}

class BarScreen implements Screen {
  readonly #io: Io
  readonly #bars = new Map<string, SingleBar>()
  /** Updates that came in while the library was being loaded, newest by name. */
  readonly #early = new Map<string, Progress>()
  #multi: MultiBar | null = null
  #loading = false
  #stopped = false

  constructor(io: Io) {
    this.#io = io
  }

  line(text: string): void {
    if (this.#multi === null) this.#io.out(`${text}\n`)
    else this.#multi.log(`${text}\n`)
  }

  progress(progress: Progress): void {
    if (this.#stopped) return
    const name = `${progress.kind} ${progress.model}`
    if (progress.finished) return this.#finish(name, progress)
    if (this.#multi === null) {
      this.#early.set(name, progress)
      return this.#load()
    }
    const bar = this.#bars.get(name)
    const payload = { text: describe(progress) }
    if (bar !== undefined) bar.update(progress.done, payload)
    else this.#bars.set(name, this.#multi.create(progress.total ?? 0, progress.done, payload))
  }

  stop(): void {
    this.#stopped = true
    this.#end()
  }

  #finish(name: string, progress: Progress): void {
    const bar = this.#bars.get(name)
    this.#early.delete(name)
    this.#bars.delete(name)
    if (bar !== undefined && this.#bars.size > 0) this.#multi?.remove(bar)
    if (this.#bars.size === 0) this.#end()
    this.line(describe(progress))
  }

  #load(): void {
    if (this.#loading) return
    this.#loading = true
    void import('cli-progress').then(({ default: { MultiBar: Bars } }) => {
      this.#loading = false
      if (this.#stopped || this.#early.size === 0) return
      this.#multi = new Bars({
        stream: this.#io.stdout,
        format: (_options, params, payload: { readonly text: string }) => `${bar(params.progress)} ${payload.text}`,
        clearOnComplete: true,
        hideCursor: true,
        gracefulExit: false,
        linewrap: false,
      })
      const early = [...this.#early.values()]
      this.#early.clear()
      for (const progress of early) this.progress(progress)
    })
  }

  #end(): void {
    const multi = this.#multi
    if (multi === null) return
    this.#multi = null
    this.#bars.clear()
    // Lines still waiting above the bars.
    multi.update()
    multi.stop()
  }
}

function bar(fraction: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_COLUMNS)
  return `${'█'.repeat(full)}${'░'.repeat(BAR_COLUMNS - full)}`
}

/** `Downloading model.gguf 42 % of 1.2 GB`. */
function describe(progress: Progress): string {
  const [doing, done] = VERBS[progress.kind]
  const model = isAbsolute(progress.model) ? basename(progress.model) : progress.model
  if (progress.finished) return `${done} ${model}`
  const percent =
    progress.total === null || progress.total === 0 ? null : Math.floor((100 * progress.done) / progress.total)
  if (progress.kind === 'load') return `${doing} ${model}${percent === null ? '' : ` ${percent} %`}`
  if (percent === null) return `${doing} ${model} ${bytes(progress.done)}`
  return `${doing} ${model} ${percent} % of ${bytes(progress.total ?? 0)}`
}
