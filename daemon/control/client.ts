/** A client of the control socket: the commands, and later the screens. */
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { codeOf, DaemonError } from '../errors.js'
import { controlAddress } from '../paths.js'
import { ItemQueue } from './items.js'
import { LineCutter } from './lines.js'
import { CONTROL_PROTOCOL, isSnapshot, MAX_ANSWER_BYTES, parseMessage } from './protocol.js'
import type { ControlMessage, Hello, Method } from './protocol.js'
import { isRouteView } from './route.js'
import type { RouteQuestion, RouteView } from './route.js'
import type { NodeSnapshot } from './snapshot.js'

export interface ControlTarget {
  readonly dataDir: string
  readonly runtimeDir: string | undefined
  /** How long the daemon may take for one answer. */
  readonly timeoutMs?: number
}

const DEFAULT_TIMEOUT_MS = 10_000

/**
 * Connects and waits for the daemon's hello. Throws `NOT_RUNNING` when nobody listens, `CONTROL_FAILED` when whoever listens
 * does not speak this protocol in time.
 */
export async function connectControl(target: ControlTarget): Promise<ControlClient> {
  const { path } = controlAddress(target.dataDir, target.runtimeDir)
  const client = new ControlClient(await dial(path, target.dataDir), target.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  try {
    await client.hello()
    return client
  } catch (error) {
    client.close()
    throw error
  }
}

export class ControlClient {
  /** Resolves when the connection is gone, from whichever side. */
  readonly closed: Promise<void>
  readonly #socket: Socket
  readonly #timeoutMs: number
  readonly #waiting = new Map<number, Waiter<unknown>>()
  readonly #streams = new Map<number, ItemQueue>()
  readonly #listeners = new Set<(snapshot: NodeSnapshot) => void>()
  readonly #hello: Promise<Hello>
  #settleHello: Waiter<Hello> = { resolve: () => undefined, reject: () => undefined }
  #nextId = 1

  constructor(socket: Socket, timeoutMs: number) {
    const cutter = new LineCutter(MAX_ANSWER_BYTES)
    this.#socket = socket
    this.#timeoutMs = timeoutMs
    this.#hello = this.#waitFor<Hello>((waiter) => {
      this.#settleHello = waiter
    })
    // Whoever wants it awaits hello(); a connection that ends before that is no unhandled rejection.
    this.#hello.catch(() => undefined)
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        // In this order: to whoever waits for the end, the end is no failure.
        resolve()
        this.#fail(DaemonError.CONTROL_FAILED('The daemon closed the control connection.'))
      })
    })
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      const messages = cutter.push(chunk)?.map(parseMessage)
      for (const message of messages ?? [null]) {
        if (message === null) return this.#refuse()
        this.#receive(message)
      }
      return undefined
    })
  }

  /** Who answers. */
  hello(): Promise<Hello> {
    return this.#hello
  }

  async snapshot(): Promise<NodeSnapshot> {
    return asSnapshot(await this.#ask('snapshot'))
  }

  /** The present snapshot at once, and `listener` with each further one. */
  async subscribe(listener: (snapshot: NodeSnapshot) => void): Promise<NodeSnapshot> {
    this.#listeners.add(listener)
    return asSnapshot(await this.#ask('subscribe'))
  }

  /** Why a provider would be chosen. Throws `CONTROL_FAILED` with the node's words when there is no such model. */
  async explain(question: RouteQuestion): Promise<RouteView> {
    const view = await this.#ask('explain', question)
    if (isRouteView(view)) return view
    throw DaemonError.CONTROL_FAILED('The daemon answered with something that is no explanation.')
  }

  /**
   * The items of a method that answers with a stream. Ending the loop early closes the connection, which ends the work in
   * the daemon. Throws a `ControlFault` with the daemon's code.
   */
  async *stream(method: string, params: unknown): AsyncGenerator<unknown> {
    if (this.#socket.destroyed) throw DaemonError.CONTROL_FAILED('The control connection is closed.')
    const id = this.#nextId++
    const items = new ItemQueue(this.#socket)
    this.#streams.set(id, items)
    this.#socket.write(`${JSON.stringify({ id, method, params })}\n`)
    let ended = false
    try {
      for (;;) {
        const next = await items.next()
        ended = next.done
        if (next.done) return
        yield next.item
      }
    } finally {
      this.#streams.delete(id)
      if (!ended) this.close()
    }
  }

  /** Resolves when the node has begun to end; `closed` resolves when it has let go of the socket. */
  async stop(): Promise<void> {
    await this.#ask('stop')
  }

  close(): void {
    this.#socket.destroy()
  }

  #ask(method: Method, params?: unknown): Promise<unknown> {
    if (this.#socket.destroyed) return Promise.reject(DaemonError.CONTROL_FAILED('The control connection is closed.'))
    const id = this.#nextId++
    const answer = this.#waitFor<unknown>((waiter) => this.#waiting.set(id, waiter))
    this.#socket.write(`${JSON.stringify({ id, method, params })}\n`)
    return answer.finally(() => this.#waiting.delete(id))
  }

  #waitFor<T>(register: (waiter: Waiter<T>) => void): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(DaemonError.CONTROL_FAILED(`The daemon did not answer within ${this.#timeoutMs / 1000} s.`))
      }, this.#timeoutMs)
      register({
        resolve: (value) => {
          clearTimeout(timer)
          resolve(value)
        },
        reject: (error) => {
          clearTimeout(timer)
          reject(error)
        },
      })
    })
  }

  #receive(message: ControlMessage): void {
    if ('hello' in message) {
      if (message.hello.protocol === CONTROL_PROTOCOL) return this.#settleHello.resolve(message.hello)
      return this.#refuse(
        `The running daemon (swarmd ${message.hello.version}) speaks another control protocol: restart it.`,
      )
    }
    if ('event' in message) {
      for (const listener of this.#listeners) listener(message.snapshot)
      return undefined
    }
    const stream = this.#streams.get(message.id)
    if (stream) {
      if ('item' in message) return stream.push(message.item)
      if ('error' in message) return stream.fail(new ControlFault(message.error.code, message.error.message))
      return stream.end()
    }
    const waiter = this.#waiting.get(message.id)
    if ('item' in message) return undefined
    if ('error' in message) waiter?.reject(DaemonError.CONTROL_FAILED(message.error.message))
    else waiter?.resolve(message.result)
    return undefined
  }

  #refuse(why = 'What answers on the control socket is not swarmd.'): void {
    this.#fail(DaemonError.CONTROL_FAILED(why))
    this.#socket.destroy()
  }

  #fail(error: DaemonError): void {
    this.#settleHello.reject(error)
    for (const waiter of this.#waiting.values()) waiter.reject(error)
    this.#waiting.clear()
    for (const stream of this.#streams.values()) stream.fail(error)
  }
}

/** What the daemon answered instead of a result, with its own code. */
export class ControlFault extends Error {
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.name = 'ControlFault'
    this.code = code
  }
}

interface Waiter<T> {
  resolve(value: T): void
  reject(error: Error): void
}

function asSnapshot(value: unknown): NodeSnapshot {
  if (isSnapshot(value)) return value
  throw DaemonError.CONTROL_FAILED('The daemon answered with something that is no snapshot.')
}

function dial(path: string, dataDir: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.removeAllListeners('error')
      resolve(socket)
    })
    socket.once('error', (error) => {
      const code = codeOf(error)
      const nobody = code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR'
      reject(
        nobody
          ? DaemonError.NOT_RUNNING(`No swarmd runs on the data folder ${dataDir}. Start one with "swarmd up".`)
          : DaemonError.CONTROL_FAILED(
              `The control socket ${path} cannot be used (${code ?? 'unknown reason'}).`,
              error,
            ),
      )
    })
  })
}
