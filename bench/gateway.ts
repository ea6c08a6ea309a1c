/**
 * What the proxy costs by itself: HTTP in, validation, dialect, and a backend in the same process that answers at once.
 * The client is another process and reads raw sockets, so that it measures the gateway and not itself.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Bench, Figure } from './figure.js'
import { median, percentile } from './figure.js'

const SERVER = fileURLToPath(new URL('./gateway-server.js', import.meta.url))
const SEQUENTIAL = 3_000
const CONCURRENCY = 32
const CONCURRENT = 20_000
const STREAMS = 8
const CHUNKS = 20_000
const RUNS = 5

const MESSAGES = [
  { role: 'system', content: 'You are a helpful assistant.' },
  { role: 'user', content: 'Write a sentence about swarms.' },
]
const WHOLE = { model: 'mock', messages: MESSAGES, temperature: 0.7, top_p: 0.9, max_tokens: 8, stop: ['\n\n'] }

export const bench: Bench = {
  name: 'gateway',
  about: 'the proxy alone: latency, requests and streamed chunks per second',
  async run({ note }): Promise<readonly Figure[]> {
    const child = spawn(process.execPath, [SERVER], { stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer]
      const port = Number(line.toString())
      await sequential(port, 1_000)
      const latencies = await sequential(port, SEQUENTIAL)
      await concurrent(port, 4_000)
      const rates: number[] = []
      const chunks: number[] = []
      for (let run = 0; run < RUNS; run++) {
        rates.push(await concurrent(port, CONCURRENT / RUNS))
        chunks.push(await streamed(port))
      }
      note(`${SEQUENTIAL} sequential, ${CONCURRENT} at concurrency ${CONCURRENCY}, ${STREAMS} streams of ${CHUNKS}`)
      return [
        { figure: 'gateway.latency.p50', value: median(latencies), unit: 'ms', goal: 0.5, better: 'lower' },
        { figure: 'gateway.latency.p99', value: percentile(latencies, 0.99), unit: 'ms', goal: null, better: 'lower' },
        { figure: 'gateway.requests', value: median(rates), unit: 'per second', goal: 3_000, better: 'higher' },
        { figure: 'gateway.chunks', value: median(chunks), unit: 'per second', goal: 80_000, better: 'higher' },
      ]
    } finally {
      child.stdin.end()
      await once(child, 'exit')
    }
  },
}

async function sequential(port: number, count: number): Promise<readonly number[]> {
  const latencies: number[] = []
  const wire = encode(WHOLE)
  const client = new RawClient(port)
  for (let index = 0; index < count; index++) {
    const begun = performance.now()
    await client.whole(wire)
    latencies.push(performance.now() - begun)
  }
  client.close()
  return latencies
}

/** Whole answers a second. */
async function concurrent(port: number, count: number): Promise<number> {
  const wire = encode(WHOLE)
  const clients = Array.from({ length: CONCURRENCY }, () => new RawClient(port))
  let left = count
  const begun = performance.now()
  await Promise.all(
    clients.map(async (client) => {
      while (left-- > 0) await client.whole(wire)
    }),
  )
  const seconds = (performance.now() - begun) / 1000
  for (const client of clients) client.close()
  return count / seconds
}

/** Chunks a second over all streams, from sending to the last end. */
async function streamed(port: number): Promise<number> {
  const wire = encode({ ...WHOLE, max_tokens: CHUNKS, stream: true })
  const clients = Array.from({ length: STREAMS }, () => new RawClient(port))
  const begun = performance.now()
  const counts = await Promise.all(clients.map((client) => client.stream(wire)))
  const seconds = (performance.now() - begun) / 1000
  for (const client of clients) client.close()
  return counts.reduce((sum, count) => sum + count, 0) / seconds
}

function encode(body: object): string {
  const json = JSON.stringify(body)
  const headers = `host: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}`
  return `POST /v1/chat/completions HTTP/1.1\r\n${headers}\r\n\r\n${json}`
}

/** One kept-alive connection that knows just enough HTTP to see where an answer ends. */
class RawClient {
  readonly #socket: Socket
  #take: (chunk: Buffer) => void = () => undefined
  #fail: (error: Error) => void = () => undefined

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(new Error('the gateway closed the connection')))
  }

  /** Resolves when an answer with Content-Length is there. Throws on any status but 200. */
  whole(wire: string): Promise<void> {
    return new Promise((resolve, reject) => {
      let seen = ''
      this.#fail = reject
      this.#take = (chunk) => {
        seen += chunk.toString('latin1')
        const end = seen.indexOf('\r\n\r\n')
        if (end < 0) return
        const length = Number(/content-length: (\d+)/i.exec(seen)?.[1] ?? Number.NaN)
        if (!seen.startsWith('HTTP/1.1 200')) return reject(new Error(seen.slice(0, 500)))
        if (seen.length >= end + 4 + length) resolve()
      }
      this.#socket.write(wire)
    })
  }

  /** Resolves with the number of text chunks when the stream has ended. */
  stream(wire: string): Promise<number> {
    return new Promise((resolve, reject) => {
      let count = 0
      let tail = ''
      this.#fail = reject
      this.#take = (chunk) => {
        const part = tail + chunk.toString('latin1')
        // What is counted is cut off, so that a piece at a seam is seen once.
        const last = part.lastIndexOf(PIECE)
        for (let at = part.indexOf(PIECE); at >= 0; at = part.indexOf(PIECE, at + PIECE.length)) count += 1
        tail = part.slice(Math.max(last + PIECE.length, part.length - 32))
        if (!tail.includes('data: [DONE]')) return
        if (count === CHUNKS) resolve(count)
        else reject(new Error(`${count} of ${CHUNKS} chunks came`))
      }
      this.#socket.write(wire)
    })
  }

  close(): void {
    this.#fail = () => undefined
    this.#socket.destroy()
  }
}

const PIECE = '"content":" token"'
