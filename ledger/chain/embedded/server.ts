/**
 * JSON-RPC over HTTP and websockets, on loopback only. web3.js looks for websockets one port above the HTTP port,
 * everyone else on the same: both ports answer both.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { ChainError } from '../errors.js'
import type { EmbeddedChain } from './chain.js'
import { answer } from './dispatch.js'
import { Subscriptions } from './subscriptions.js'

/** A hundred transactions in a batch. */
const MAX_BODY_BYTES = 256 * 1024
const MAX_CONNECTIONS = 1_024
const REQUEST_MS = 30_000
/** How often another pair of free ports is tried when only the first is free. */
const PORT_TRIES = 20

export class ChainServer {
  readonly #chain: EmbeddedChain
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_BODY_BYTES, perMessageDeflate: false })
  readonly #connections = new Set<WebSocket>()
  #servers: readonly Server[] = []
  #subscriptions = 0

  constructor(chain: EmbeddedChain) {
    this.#chain = chain
  }

  /**
   * Returns the address, `http://127.0.0.1:8899`; port 0 takes any two neighbouring free ports. Throws `NOT_LOOPBACK`, or
   * the system's error (`EADDRINUSE`).
   */
  async listen(host: string, port: number): Promise<string> {
    const address = loopback(host)
    for (let tries = 0; ; tries++) {
      const first = this.#server()
      const bound = await listening(first, address, port)
      const second = this.#server()
      try {
        await listening(second, address, bound + 1)
        this.#servers = [first, second]
        return `http://${address.includes(':') ? `[${address}]` : address}:${bound}`
      } catch (error) {
        await closed(first)
        if (port !== 0 || tries >= PORT_TRIES) throw error
      }
    }
  }

  async close(): Promise<void> {
    this.#sockets.close()
    for (const connection of this.#connections) connection.terminate()
    await Promise.all(this.#servers.map(closed))
  }

  #server(): Server {
    const server = createServer((request, response) => void this.#answer(request, response))
    server.maxConnections = MAX_CONNECTIONS
    server.requestTimeout = REQUEST_MS
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    return server
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    if (!isLocal(request)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n')
      return
    }
    this.#sockets.handleUpgrade(request, socket, head, (connection) => {
      this.#connections.add(connection)
      connection.on('close', () => this.#connections.delete(connection))
      new Subscriptions(this.#chain, connection, () => ++this.#subscriptions)
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, text: string): void => {
      response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${text}\n`)
    }
    if (!isLocal(request)) return refuse(403, 'This chain is for its own machine.')
    if (request.method === 'GET' && request.url === '/health') return refuse(200, 'ok')
    if (request.method !== 'POST') return refuse(405, 'Used HTTP Method is not allowed. POST or OPTIONS is required')
    // A page in a browser can send other types to another origin without asking; nothing here is for pages.
    if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
      return refuse(415, 'Supplied content type is not allowed. Content-Type: application/json is required')
    try {
      const text = await bodyOf(request)
      if (text === null) return refuse(413, 'Request body too large')
      const answered = (await answer(this.#chain, text)) ?? ''
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(answered)
    } catch {
      // The client went away in the middle of its request.
      response.destroy()
    }
  }
}

/** The host as it is bound. Throws `NOT_LOOPBACK`. */
function loopback(host: string): string {
  if (host === 'localhost') return '127.0.0.1'
  if (host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)) return host
  throw ChainError.NOT_LOOPBACK(host)
}

/** A name that was made to point here (DNS rebinding) shows in the Host header. */
function isLocal(request: IncomingMessage): boolean {
  return /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?$/.test(request.headers.host ?? '')
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > MAX_BODY_BYTES) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function listening(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
