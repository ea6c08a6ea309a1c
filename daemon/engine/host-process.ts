/**
 * The child process of an engine: started, loaded, watched, and started again with growing pauses when it dies. Native
 * code's own output is caught and passed on as log lines; nothing of a request is ever in arguments or environment.
 */
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { EngineError } from './errors.js'
import type { Patience } from './liveness.js'
import { Liveness } from './liveness.js'
import type { FromChild, LoadedFacts, LoadOptions, LogLevel, ToChild } from './protocol.js'
import { checked, LOG_LINE_LIMIT } from './protocol.js'

export interface HostProcessOptions {
  readonly load: LoadOptions
  readonly patience: Patience
  readonly onMessage: (message: FromChild) => void
  readonly onLog: (level: LogLevel, text: string) => void
  /** The process is gone, whatever the reason; called once. */
  readonly onExit: (reason: string) => void
}

const ENTRY = fileURLToPath(new URL('./child/main.js', import.meta.url))

export class HostProcess {
  readonly #options: HostProcessOptions
  readonly #child: ChildProcess
  readonly #liveness: Liveness
  #exited: Promise<void>
  #failure: string | null = null

  constructor(options: HostProcessOptions) {
    this.#options = options
    this.#liveness = new Liveness(options.patience)
    this.#child = fork(ENTRY, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      execArgv: [],
      env: hostEnvironment(process.env),
    })
    const ticks = setInterval(() => this.#tick(), options.patience.tickMs).unref()
    this.#exited = new Promise<void>((resolve) => {
      this.#child.once('exit', (code, signal) => {
        resolve()
        options.onExit(
          this.#failure ??
            (signal === null ? `the engine host exited with code ${code}` : `the engine host was killed by ${signal}`),
        )
      })
      this.#child.once('error', (error) => {
        this.#failure ??= `the engine host could not be run: ${error.message}`
        if (this.#child.pid === undefined) {
          resolve()
          options.onExit(this.#failure)
        }
      })
    }).finally(() => clearInterval(ticks))
    this.#child.on('message', (messages) => this.#receive(messages))
    this.#capture(this.#child.stdout)
    this.#capture(this.#child.stderr)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  send(message: ToChild): void {
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  /** Loads the model; rejects with the host's own error, or `ENGINE_CRASHED` when it dies over it. */
  load(onProgress: (done: number, total: number) => void, replies: LoadReplies): Promise<LoadedFacts> {
    return new Promise((resolve, reject) => {
      replies.settle = (message) => {
        if (message.type === 'progress') onProgress(message.done, message.total)
        if (message.type === 'ready') {
          this.#liveness.loaded()
          resolve(message.facts)
        }
        if (message.type === 'failed')
          reject(EngineError.fromWire(message.error.code, message.error.message, message.error.context))
      }
      void this.#exited.then(() => reject(EngineError.ENGINE_CRASHED('the engine host died while it loaded the model')))
      this.send({ type: 'load', options: this.#options.load })
    })
  }

  /** Asks first, insists after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    this.send({ type: 'close' })
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), graceMs)
    await this.#exited
    clearTimeout(insist)
  }

  kill(reason: string): void {
    this.#failure ??= reason
    this.#child.kill('SIGKILL')
  }

  /** Native code that hangs, or a process that was stopped, is killed like one that crashed. */
  #tick(): void {
    const reason = this.#liveness.tick()
    if (reason === null) this.send({ type: 'ping' })
    else this.kill(`the engine host ${reason} and was killed`)
  }

  #receive(messages: unknown): void {
    this.#liveness.heard()
    if (!Array.isArray(messages)) return this.kill('the engine host sent something that is not a message')
    for (const raw of messages) {
      const message = checked(raw)
      if (message === null) return this.kill('the engine host sent a malformed message')
      if (message.type === 'log') this.#options.onLog(message.level, message.text.slice(0, LOG_LINE_LIMIT))
      else if (message.type === 'pong') this.#liveness.computing(message.computing)
      else this.#options.onMessage(message)
    }
  }

  #capture(stream: Readable | null): void {
    if (stream === null) return
    createInterface({ input: stream }).on('line', (line) => this.#options.onLog('debug', line.slice(0, LOG_LINE_LIMIT)))
  }
}

/** Where the load's replies go; set by `load`, called by the owner for every message of these types. */
export interface LoadReplies {
  settle: (message: FromChild) => void
}

/** Paths and locale, nothing else: keys and tokens of the daemon's environment stay with the daemon. */
function hostEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = [
    'PATH',
    'HOME',
    'LANG',
    'TMPDIR',
    'TEMP',
    'SYSTEMROOT',
    'LD_LIBRARY_PATH',
    'CUDA_VISIBLE_DEVICES',
    'VK_ICD_FILENAMES',
  ]
  return Object.fromEntries(kept.flatMap((key) => (environment[key] === undefined ? [] : [[key, environment[key]]])))
}
