/**
 * The local API as something that is opened and closed. `ready()` listens; `close()` ends what is in flight, each with its
 * error, and frees the port. Both are idempotent.
 */
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Access } from './access.js'
import { listenError } from './bind.js'
import { Calls } from './call.js'
import type { ProxyLog } from './call.js'
import type { Backend } from './port.js'
import { SchemaCompiler } from './schema/compiler.js'
import { createServer } from './server.js'

export interface ProxyOptions {
  readonly backend: Backend
  /** Default 127.0.0.1. Anything but loopback needs a key. */
  readonly host?: string
  /** Default 8080; 0 = any free port, see `address`. */
  readonly port?: number
  /** What callers must send as Bearer or X-Api-Key; null = no key. */
  readonly key?: string | null
  /** Further keys by name; only beside `key`. */
  readonly keys?: ReadonlyMap<string, string>
  /** Origins of web pages that may call, beside those of this machine; `*` = any. */
  readonly allowOrigins?: readonly string[]
  /** Host names that callers may use, beside those of this machine. */
  readonly allowHosts?: readonly string[]
  readonly log?: ProxyLog | null
  /** Bytes, after inflation; default 20 MB. */
  readonly bodyLimit?: number
  /** A stream is never silent for longer; default 1000. */
  readonly heartbeatMs?: number
  /** How long a stream waits for an early failure before it sends its headers; default 50. */
  readonly graceMs?: number
  /** Unix milliseconds. */
  readonly now?: () => number
}

export interface ProxyAddress {
  readonly host: string
  readonly port: number
  /** `http://127.0.0.1:8080/v1`: what an SDK takes as its base URL. */
  readonly baseUrl: string
}

const MB = 1_000_000
/** Compiling the schemas blocks for a tenth of a second: not while the daemon starts, but before the first user. */
const WARM_AFTER_MS = 1500

export class ProxyServer {
  readonly #access: Access
  readonly #calls: Calls
  readonly #schemas = new SchemaCompiler()
  readonly #app: FastifyInstance
  readonly #host: string
  readonly #port: number
  #opening: Promise<void> | null = null
  #closing: Promise<void> | null = null
  #warming: NodeJS.Timeout | null = null
  #address: ProxyAddress | null = null

  constructor(options: ProxyOptions) {
    this.#host = options.host ?? '127.0.0.1'
    this.#port = options.port ?? 8080
    this.#access = new Access({
      host: this.#host,
      key: options.key ?? null,
      keys: options.keys ?? new Map(),
      allowOrigins: options.allowOrigins ?? [],
      allowHosts: (options.allowHosts ?? []).map((name) => name.toLowerCase()),
    })
    this.#calls = new Calls({
      heartbeatMs: options.heartbeatMs ?? 1000,
      graceMs: options.graceMs ?? 50,
      now: options.now ?? Date.now,
      log: options.log ?? null,
    })
    this.#app = createServer({
      backend: options.backend,
      access: this.#access,
      calls: this.#calls,
      schemas: this.#schemas,
      bodyLimit: options.bodyLimit ?? 20 * MB,
      log: options.log ?? null,
    })
  }

  /** Null before `ready()`. */
  get address(): ProxyAddress | null {
    return this.#address
  }

  /** Throws `KEY_REQUIRED`, or `EADDRINUSE` and the like with what to do about it. */
  ready(): Promise<void> {
    return (this.#opening ??= this.#open())
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#shut())
  }

  async #open(): Promise<void> {
    this.#access.assertBindable()
    try {
      await this.#app.listen({ host: this.#host, port: this.#port })
    } catch (error) {
      throw await listenError(error, this.#host, this.#port)
    }
    const bound = this.#app.server.address() as AddressInfo
    const name = this.#host.includes(':') ? `[${this.#host}]` : this.#host
    this.#address = { host: this.#host, port: bound.port, baseUrl: `http://${name}:${bound.port}/v1` }
    this.#warming = setTimeout(() => this.#schemas.warm(), WARM_AFTER_MS)
    this.#warming.unref()
  }

  async #shut(): Promise<void> {
    if (this.#warming !== null) clearTimeout(this.#warming)
    await this.#opening?.catch(() => undefined)
    await this.#calls.close()
    await this.#app.close()
  }
}

export function createProxy(options: ProxyOptions): ProxyServer {
  return new ProxyServer(options)
}
