/**
 * The JSON-RPC of a chain as the worst of networks and nodes would give it: answers that do not come, come late, come twice,
 * or are no answers; sends that land without an answer, and answers for sends that never land; statuses that are lies.
 * Which, a seed draws. Each node under test has an address of its own, so whoever asks is known, and at each step of a
 * transaction the test can act (kill the one that asks) before the next byte leaves.
 */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { toBase58 } from '../../ledger/chain/base58.js'
import type { Random } from '../crash/random.js'
import { rewritten } from './forking-chain.js'
import type { ForkingChain } from './forking-chain.js'

export const FAULTS = {
  late: 'the answer comes after up to half a second',
  silent: 'no answer ever; the request was not forwarded',
  'silent, forwarded': 'no answer ever, and what was asked was done',
  'cut before': 'the connection ends before the request is forwarded',
  'cut after': 'the connection ends after what was asked was done',
  'asked twice': 'the request is forwarded twice',
  'answered twice': 'the answer comes twice on one connection',
  busy: 'HTTP 429',
  broken: 'HTTP 500',
  garbage: 'an answer that is no JSON, no JSON-RPC, or half of one',
  behind: 'the JSON-RPC error of a node that is behind',
  swallowed: 'a send is answered with its signature and goes nowhere',
  'refused, forwarded': 'a send is answered with an error and lands',
  blind: 'a status is null although it has landed',
  'claims confirmed': 'a status is confirmed although nothing has landed',
  'claims final': 'a status is final although what was sent was swallowed',
} as const

export type Fault = keyof typeof FAULTS
/** How many of a thousand requests meet each fault that can befall them. */
export type Weather = Readonly<Partial<Record<Fault, number>>>

/** Steps of a transaction as they can be seen from outside; each is before the next byte leaves. */
export const MOMENTS = [
  'rehearsed', // a rehearsal was asked for: nothing is signed yet
  'prepared', // a status was asked for of what nobody has sent
  'submitted', // a send has come and was not forwarded
  'sent', // a send was forwarded and not answered
  'seen', // the first answer that says confirmed
  'final', // the first answer that says finalized
] as const
export type Moment = (typeof MOMENTS)[number]

export interface Sent {
  readonly by: string
  /** Lives of that node that have sent it. */
  readonly lives: Set<number>
}

export interface HostileRpcOptions {
  readonly chain: ForkingChain
  readonly random: Random
  /** Waited for before the request goes on; `signature` null at a rehearsal. True = who asks is dead, nothing goes on. */
  readonly at?: (who: string, moment: Moment, signature: string | null) => Promise<boolean>
}

interface Request {
  readonly who: string
  readonly text: string
  readonly method: string
  readonly params: readonly unknown[]
}

const ANY = [
  'late',
  'silent',
  'silent, forwarded',
  'cut before',
  'cut after',
  'asked twice',
  'answered twice',
  'busy',
  'broken',
  'garbage',
  'behind',
] as const
const OF_SENDS = ['swallowed', 'refused, forwarded'] as const
const OF_STATUSES = ['blind', 'claims confirmed', 'claims final'] as const
const GARBAGE = ['', '<html>502</html>', '{"jsonrpc":"2.0","id":1,"res', '[]', 'null', '{"jsonrpc":"2.0","id":1}']

export class HostileRpc {
  weather: Weather = {}
  /** How often each fault came. */
  readonly met = new Map<Fault, number>()
  /** By signature. */
  readonly sent = new Map<string, Sent>()
  /** Of which a lie was told that nobody can see through: that it is final. */
  readonly liedFinal = new Set<string>()
  readonly #options: HostileRpcOptions
  readonly #server: Server
  readonly #lives = new Map<string, number>()
  readonly #swallowed = new Set<string>()
  /** Whose last status was hidden. */
  readonly #blinded = new Set<string>()
  /** What each node was told, by `who/signature`. */
  readonly #told = new Set<string>()
  #url = ''

  private constructor(options: HostileRpcOptions) {
    this.#options = options
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy())
    })
  }

  static async listen(options: HostileRpcOptions): Promise<HostileRpc> {
    const rpc = new HostileRpc(options)
    await new Promise<void>((resolve) => rpc.#server.listen(0, '127.0.0.1', resolve))
    rpc.#url = `http://127.0.0.1:${(rpc.#server.address() as AddressInfo).port}`
    return rpc
  }

  /** The address of one node. */
  urlOf(who: string): string {
    return `${this.#url}/${who}`
  }

  /** A new process asks under this name from here on. */
  born(who: string): void {
    this.#lives.set(who, (this.#lives.get(who) ?? 0) + 1)
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await read(incoming)
    const fault = this.#draw(request.method)
    if (fault === 'silent') return
    if (fault === 'cut before') return void response.destroy()
    if (fault === 'busy' || fault === 'broken') return say(response, fault === 'busy' ? 429 : 500, 'no')
    if (fault === 'garbage') return say(response, 200, this.#options.random.pick('{', ...GARBAGE))
    if (fault === 'behind') return say(response, 200, failure(-32005, 'Node is behind by 200 slots'))
    const answered = await this.#forward(request, fault)
    if (fault === 'late') await delay(this.#options.random.below(500))
    if (fault === 'silent, forwarded') return
    if (fault === 'cut after') return void response.destroy()
    if (fault === 'refused, forwarded') return say(response, 200, failure(-32603, 'Internal error'))
    say(response, 200, answered)
    // A second answer that nobody has asked for, on the connection that stays open for the next question.
    if (fault === 'answered twice')
      incoming.socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(answered)}\r\n\r\n${answered}`)
  }

  /** At most one fault for a request. */
  #draw(method: string): Fault | null {
    const own = method === 'sendTransaction' ? OF_SENDS : method === 'getSignatureStatuses' ? OF_STATUSES : []
    let left = this.#options.random.below(1_000)
    for (const fault of [...own, ...ANY]) {
      left -= this.weather[fault] ?? 0
      if (left >= 0) continue
      // The lies count where they are told.
      if (fault !== 'blind' && !fault.startsWith('claims')) this.#count(fault)
      return fault
    }
    return null
  }

  async #forward(request: Request, fault: Fault | null): Promise<string> {
    if (request.method === 'sendTransaction') return this.#send(request, fault)
    if (request.method === 'getSignatureStatuses') return this.#statuses(request, fault)
    if (request.method === 'simulateTransaction') await this.#reach(request.who, 'rehearsed', null)
    if (fault === 'asked twice') await this.#ask(request)
    return this.#ask(request)
  }

  async #send(request: Request, fault: Fault | null): Promise<string> {
    const { who } = request
    const signature = toBase58(Buffer.from(String(request.params[0]), 'base64').subarray(1, 65))
    const known = this.sent.get(signature)
    const life = this.#lives.get(who) ?? 0
    this.sent.set(signature, known ?? { by: who, lives: new Set() })
    this.sent.get(signature)?.lives.add(life)
    if (!known) await this.#reach(who, 'submitted', signature)
    if (fault === 'swallowed') {
      this.#swallowed.add(signature)
      return JSON.stringify({ jsonrpc: '2.0', id: 1, result: signature })
    }
    this.#swallowed.delete(signature)
    if (fault === 'asked twice') await this.#ask(request)
    const answered = await this.#ask(request)
    if (!known) await this.#reach(who, 'sent', signature)
    return answered
  }

  async #statuses(request: Request, fault: Fault | null): Promise<string> {
    const signatures = request.params[0] as readonly string[]
    for (const signature of signatures)
      if (!this.sent.has(signature)) await this.#reach(request.who, 'prepared', signature)
    const answered = rewritten(await this.#ask(request), (result) => {
      const { value, ...rest } = result as { readonly value: readonly (object | null)[] }
      return { ...rest, value: value.map((status, i) => this.#lie(status, signatures[i] ?? '', fault)) }
    })
    await this.#tell(request.who, signatures, answered)
    return answered
  }

  #lie(status: object | null, signature: string, fault: Fault | null): object | null {
    if (status !== null) {
      // Never twice in a row: that would be believed, as docs/chain.md says.
      const before = this.#blinded.delete(signature)
      if (fault !== 'blind' || before) return status
      this.#blinded.add(signature)
      this.#count(fault)
      return null
    }
    if (fault === 'claims confirmed' && this.sent.has(signature)) return this.#claim(fault, 'confirmed')
    if (fault !== 'claims final' || !this.#swallowed.has(signature)) return null
    this.liedFinal.add(signature)
    return this.#claim(fault, 'finalized')
  }

  #claim(fault: Fault, confirmationStatus: string): object {
    this.#count(fault)
    return { slot: 1, confirmations: 1, err: null, status: { Ok: null }, confirmationStatus }
  }

  /** The first time that a node is going to hear of a level. */
  async #tell(who: string, signatures: readonly string[], answered: string): Promise<void> {
    const { result } = JSON.parse(answered) as {
      result?: { value: readonly ({ confirmationStatus: string } | null)[] }
    }
    for (const [i, status] of (result?.value ?? []).entries()) {
      const moment = status?.confirmationStatus === 'finalized' ? 'final' : status ? 'seen' : null
      const name = `${who}/${moment ?? ''}/${signatures[i] ?? ''}`
      if (moment === null || this.#told.has(name)) continue
      this.#told.add(name)
      await this.#reach(who, moment, signatures[i] ?? '')
    }
  }

  /** Throws when who asks has died of it. */
  async #reach(who: string, moment: Moment, signature: string | null): Promise<void> {
    if (await this.#options.at?.(who, moment, signature)) throw new Error(`${who} is gone`)
  }

  #ask({ text, method, params }: Request): Promise<string> {
    return this.#options.chain.answer(text, method, params, true)
  }

  #count(fault: Fault): void {
    this.met.set(fault, (this.met.get(fault) ?? 0) + 1)
  }
}

async function read(incoming: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  const { method, params = [] } = JSON.parse(text) as { method: string; params?: readonly unknown[] }
  return { who: (incoming.url ?? '/').slice(1), text, method, params }
}

function failure(code: number, message: string): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code, message } })
}

function say(response: ServerResponse, status: number, text: string): void {
  if (!response.destroyed) response.writeHead(status, { 'content-type': 'application/json' }).end(text)
}
