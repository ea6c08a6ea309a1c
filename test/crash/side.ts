/** One daemon on one data folder, over all its lives. */
import { setTimeout as delay } from 'node:timers/promises'
import { NodeProcess } from '../../bin/demo/node-process.js'

/** No machine is so busy: longer is never. */
const START_MS = 300_000

export class Side {
  readonly name: string
  readonly dataDir: string
  readonly #arguments: () => readonly string[]
  readonly #env: Readonly<Record<string, string | undefined>>
  #node: NodeProcess | null = null
  lives = 0

  /** `arguments_`: of each new life, without the data folder. */
  constructor(
    name: string,
    dataDir: string,
    arguments_: () => readonly string[],
    env: Readonly<Record<string, string | undefined>>,
  ) {
    this.name = name
    this.dataDir = dataDir
    this.#arguments = arguments_
    this.#env = env
  }

  get pid(): number {
    return this.#node?.pid ?? 0
  }

  get running(): boolean {
    return this.#node !== null
  }

  start(): void {
    if (this.#node) return
    this.lives++
    this.#node = this.another()
  }

  /** One more process on the same folder. */
  another(): NodeProcess {
    return new NodeProcess(this.name, [...this.#arguments(), '--data', this.dataDir], this.#env)
  }

  /** Of the present life; throws with the node's own words when it ended or takes too long. */
  async event(name: 'listening' | 'ready'): Promise<Readonly<Record<string, unknown>>> {
    if (!this.#node) throw new Error(`The ${this.name} does not run.`)
    const late = new AbortController()
    const timeout = delay(START_MS, null, { signal: late.signal, ref: false }).then(() => {
      throw new Error(`The ${this.name} was not ${name} after ${START_MS / 1000} s.`)
    })
    timeout.catch(() => undefined)
    return Promise.race([this.#node.event(name), timeout]).finally(() => late.abort())
  }

  /** Gone when it resolves; nothing of it runs any more. */
  async kill(): Promise<void> {
    const node = this.#node
    if (!node) return
    if (node.pid > 0) process.kill(node.pid, 'SIGKILL')
    await node.gone
    this.#node = null
  }

  /** Asks it to end and waits for as long as it takes, e.g. for a last settlement. */
  async end(): Promise<void> {
    const node = this.#node
    if (!node) return
    process.kill(node.pid, 'SIGTERM')
    await node.gone
    this.#node = null
  }

  async stop(): Promise<void> {
    await this.#node?.stop()
    this.#node = null
  }
}
