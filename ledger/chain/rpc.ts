/**
 * JSON-RPC to one or several nodes of the same chain. Every request has a time limit; a node that fails is passed over for
 * the next, and all of them are tried again after a pause with jitter. A node is believed only after it has named the
 * genesis hash that was expected, and is asked again whenever it was lost.
 *
 * web3.js's own `Connection` is not used: its errors lose their codes on the way, and it opens websockets by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ChainError } from './errors.js'
import { refusalOf } from './refusal.js'

const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_ROUNDS = 3
const PAUSE_MS = 250
const MAX_PAUSE_MS = 5_000
const MAX_ANSWER_BYTES = 32 * 1024 * 1024
/** Errors that are about the node, not about the question: behind, starting, without that block. */
const NODE_TROUBLES = new Set([-32004, -32005, -32014, -32016, 429])

export interface RpcOptions {
  /** At least one; tried in this order, beginning with the one that answered last. */
  readonly urls: readonly string[]
  /** Base58; null = whatever chain it is (to find out which). */
  readonly genesisHash: string | null
  readonly timeoutMs?: number
  /** How often all nodes are tried. */
  readonly rounds?: number
  readonly fetch?: typeof fetch
  /** [0, 1) */
  readonly random?: () => number
  readonly delay?: (ms: number) => Promise<unknown>
}

export interface RpcCall {
  readonly method: string
  readonly params: readonly unknown[]
}

interface Node {
  readonly url: string
  /** All that is ever shown of the address. */
  readonly host: string
  readonly headers: Readonly<Record<string, string>>
  verified: boolean
}

/** What one node did instead of answering. */
interface Miss {
  readonly host: string
  readonly reason: string
  readonly timeout: boolean
}

export class Rpc {
  readonly #nodes: readonly Node[]
  readonly #options: RpcOptions
  #first = 0

  /** Throws `BAD_ADDRESS` for what is no http(s) address. */
  constructor(options: RpcOptions) {
    this.#options = options
    this.#nodes = options.urls.map(nodeOf)
    if (this.#nodes.length === 0) throw ChainError.RPC_UNREACHABLE('no address', 'none is configured')
  }

  /** `host:port` of the nodes, for people. */
  get hosts(): string {
    return this.#nodes.map(({ host }) => host).join(', ')
  }

  /** Throws `RPC_UNREACHABLE`, `RPC_TIMEOUT`, `WRONG_CHAIN`, or what the node refused with (refusal.ts). */
  async call(method: string, params: readonly unknown[] = []): Promise<unknown> {
    const [result] = await this.batch([{ method, params }])
    return result
  }

  /** Several questions to one and the same node, asked in their order. */
  async batch(calls: readonly RpcCall[], rounds: number = this.#options.rounds ?? DEFAULT_ROUNDS): Promise<unknown[]> {
    const misses: Miss[] = []
    let wrong: ChainError | null = null
    for (let round = 0; round < rounds; round++) {
      if (round > 0) await this.#pause(round)
      for (let turn = 0; turn < this.#nodes.length; turn++) {
        const index = (this.#first + turn) % this.#nodes.length
        const node = this.#nodes[index]
        if (!node) continue
        const asked = await this.#ask(node, calls)
        if (Array.isArray(asked)) {
          this.#first = index
          return asked
        }
        if (asked instanceof ChainError) wrong = asked
        else misses.push(asked)
      }
      // A chain does not become another one by waiting.
      if (wrong && misses.length === 0) break
    }
    throw wrong ?? this.#failure(misses)
  }

  /** Once, to one node: for what must not be asked twice. */
  async once(method: string, params: readonly unknown[]): Promise<unknown> {
    const [result] = await this.batch([{ method, params }], 1)
    return result
  }

  async #ask(node: Node, calls: readonly RpcCall[]): Promise<unknown[] | Miss | ChainError> {
    const expected = this.#options.genesisHash
    try {
      if (!node.verified && expected !== null) {
        const found = await this.#post(node, { method: 'getGenesisHash', params: [] })
        if (found !== expected) return ChainError.WRONG_CHAIN(node.host, expected, String(found))
        node.verified = true
      }
      // One after the other: many public nodes take no batches.
      const results: unknown[] = []
      for (const call of calls) results.push(await this.#post(node, call))
      return results
    } catch (error) {
      if (error instanceof ChainError) throw error
      node.verified = false
      return { host: node.host, ...missOf(error) }
    }
  }

  async #post(node: Node, { method, params }: RpcCall): Promise<unknown> {
    const response = await (this.#options.fetch ?? fetch)(node.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...node.headers },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
      signal: AbortSignal.timeout(this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS),
      redirect: 'error',
    })
    const text = await textOf(response)
    // Overload and gateways are another node's chance; JSON-RPC itself answers 200.
    if (!response.ok) throw new Error(`HTTP ${response.status}`)
    const answer: unknown = JSON.parse(text)
    if (!isObject(answer)) throw new Error('an answer that is no JSON-RPC')
    const { error } = answer
    if (!isObject(error)) {
      // Else an answer without a genesis hash would be one of another chain.
      if (!('result' in answer)) throw new Error('an answer that is no JSON-RPC')
      return answer['result']
    }
    if (NODE_TROUBLES.has(Number(error['code']))) throw new Error(`the node is not ready (${Number(error['code'])})`)
    throw refusalOf(error, node.host, method)
  }

  #pause(round: number): Promise<unknown> {
    const ms = Math.min(MAX_PAUSE_MS, PAUSE_MS * 2 ** (round - 1))
    return (this.#options.delay ?? sleep)(Math.round(ms * (0.5 + (this.#options.random ?? Math.random)())))
  }

  #failure(misses: readonly Miss[]): ChainError {
    const last = misses.at(-1)
    if (misses.length > 0 && misses.every(({ timeout }) => timeout))
      return ChainError.RPC_TIMEOUT(this.hosts, this.#options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
    return ChainError.RPC_UNREACHABLE(this.hosts, last?.reason ?? 'no answer')
  }
}

function nodeOf(text: string): Node {
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol)) throw ChainError.BAD_ADDRESS('the RPC URL')
  const { username, password, host } = url
  // fetch refuses addresses with names in them, and says the whole address in its error.
  url.username = url.password = ''
  const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  return { url: url.href, host, headers: username === '' ? {} : { authorization: `Basic ${basic}` }, verified: false }
}

async function textOf(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > MAX_ANSWER_BYTES) throw new Error('an answer that is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Only words of ours and codes: texts of fetch hold the address. */
function missOf(error: unknown): Omit<Miss, 'host'> {
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError'))
    return { reason: 'no answer in time', timeout: true }
  const cause: unknown = error instanceof Error ? error.cause : null
  if (isObject(cause) && typeof cause['code'] === 'string') return { reason: cause['code'], timeout: false }
  if (error instanceof SyntaxError) return { reason: 'an answer that is no JSON', timeout: false }
  return {
    reason: error instanceof TypeError ? 'the connection failed' : String((error as Error).message),
    timeout: false,
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
