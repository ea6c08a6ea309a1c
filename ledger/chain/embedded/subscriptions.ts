/**
 * The websocket side (https://solana.com/docs/rpc/websocket): subscriptions to signatures, accounts, programs, logs and
 * slots. Everything else that comes over the socket is answered like over HTTP.
 */
import type { WebSocket } from 'ws'
import { fromBase58, toBase58 } from '../base58.js'
import { accountJson, filtered } from './account-json.js'
import type { EmbeddedChain, LandedEvent } from './chain.js'
import { SLOT_MS } from './clock.js'
import { answer, callOf, failure } from './dispatch.js'
import type { Call } from './dispatch.js'
import { signatureOf } from './params.js'
import type { Params } from './params.js'
import { RpcError } from './rpc-error.js'

const MAX_SUBSCRIPTIONS = 1_000
/** A reader that lets this much pile up is cut off. */
const MAX_BUFFERED = 8 * 1024 * 1024

interface Subscription {
  readonly kind: 'signature' | 'account' | 'program' | 'logs' | 'slot'
  /** What to tell for an event; undefined = nothing. */
  readonly landed?: (event: LandedEvent) => readonly unknown[]
  /** A signature is told once. */
  readonly once?: boolean
}

export class Subscriptions {
  readonly #chain: EmbeddedChain
  readonly #socket: WebSocket
  readonly #active = new Map<number, Subscription>()
  readonly #numbers: () => number
  readonly #unlisten: () => void
  #slots: NodeJS.Timeout | null = null
  #lastSlot = 0
  /** Answers leave in the order of their questions. */
  #turn: Promise<void> = Promise.resolve()

  constructor(chain: EmbeddedChain, socket: WebSocket, numbers: () => number) {
    this.#chain = chain
    this.#socket = socket
    this.#numbers = numbers
    this.#unlisten = chain.onLanded((event) => this.#tell(event))
    socket.on('message', (data) => {
      this.#turn = this.#turn.then(() => this.#handle(data.toString('utf8')))
    })
    socket.on('error', () => socket.terminate())
    socket.on('close', () => this.#end())
  }

  async #handle(text: string): Promise<void> {
    const call = subscriptionCall(text)
    if (call === null) {
      const answered = await answer(this.#chain, text)
      if (answered !== null) this.#send(answered)
      return
    }
    try {
      await this.#chain.durable()
      const unsubscribes = call.method.endsWith('Unsubscribe')
      const result = unsubscribes ? this.#remove(call.params.integer(0)) : this.#add(call)
      this.#send(JSON.stringify({ jsonrpc: '2.0', result, id: call.id }))
      if (!unsubscribes) this.#already(call, Number(result))
    } catch (error) {
      this.#send(JSON.stringify(failure(call.id, error)))
    }
  }

  #add(call: Call): number {
    if (this.#active.size >= MAX_SUBSCRIPTIONS)
      throw RpcError.INVALID_REQUEST(`at most ${MAX_SUBSCRIPTIONS} subscriptions on one connection`)
    const subscription = subscriptionOf(this.#chain, call)
    const number = this.#numbers()
    this.#active.set(number, subscription)
    if (subscription.kind === 'slot') this.#slots ??= this.#watchSlots()
    return number
  }

  #remove(number: number): boolean {
    if (!this.#active.delete(number)) throw RpcError.INVALID_PARAMS('Invalid subscription id.')
    if (this.#slots && ![...this.#active.values()].some(({ kind }) => kind === 'slot')) this.#stopSlots()
    return true
  }

  /** A transaction that has landed before somebody asked for it is told at once. */
  #already(call: Call, number: number): void {
    if (call.method !== 'signatureSubscribe') return
    const landed = this.#chain.history.landed(call.params.text(0))
    if (!landed) return
    this.#active.delete(number)
    this.#notify('signature', number, { context: { slot: landed.slot }, value: { err: landed.error } })
  }

  #tell(event: LandedEvent): void {
    for (const [number, { kind, landed, once }] of this.#active) {
      for (const value of landed?.(event) ?? []) {
        if (once) this.#active.delete(number)
        this.#notify(kind, number, { context: { slot: event.slot }, value })
      }
    }
  }

  #watchSlots(): NodeJS.Timeout {
    this.#lastSlot = this.#chain.clock.slot()
    return setInterval(() => {
      const slot = this.#chain.clock.slot()
      if (slot === this.#lastSlot) return
      this.#lastSlot = slot
      for (const [number, { kind }] of this.#active)
        if (kind === 'slot') this.#notify('slot', number, { parent: slot - 1, root: Math.max(0, slot - 32), slot })
    }, SLOT_MS)
  }

  #stopSlots(): void {
    if (this.#slots) clearInterval(this.#slots)
    this.#slots = null
  }

  #notify(kind: Subscription['kind'], subscription: number, result: object): void {
    this.#send(JSON.stringify({ jsonrpc: '2.0', method: `${kind}Notification`, params: { result, subscription } }))
  }

  #send(text: string): void {
    if (this.#socket.readyState !== 1) return
    if (this.#socket.bufferedAmount > MAX_BUFFERED) this.#socket.terminate()
    else this.#socket.send(text)
  }

  #end(): void {
    this.#stopSlots()
    this.#active.clear()
    this.#unlisten()
  }
}

/** The call, if it is one of this file's; everything else is for `answer`. */
function subscriptionCall(text: string): Call | null {
  try {
    const call = callOf(JSON.parse(text))
    return call && /^(signature|account|program|logs|slot)(Uns|S)ubscribe$/.test(call.method) ? call : null
  } catch {
    return null
  }
}

function subscriptionOf(chain: EmbeddedChain, { method, params }: Call): Subscription {
  const config = method === 'slotSubscribe' ? {} : params.config(1, chain.clock.slot())
  switch (method) {
    case 'signatureSubscribe': {
      const signature = signatureOf(params.text(0))
      return {
        kind: 'signature',
        once: true,
        landed: (event) => (event.signature === signature ? [{ err: event.error }] : []),
      }
    }
    case 'accountSubscribe': {
      const key = params.key(0)
      return {
        kind: 'account',
        landed: ({ changed }) => (changed.some((other) => Buffer.compare(other, key) === 0) ? [seen(key)] : []),
      }
    }
    case 'programSubscribe': {
      const owner = params.key(0)
      const passes = filtered(config['filters'])
      return {
        kind: 'program',
        landed: ({ changed }) =>
          changed.flatMap((key) => {
            const account = chain.account(key)
            if (!account || Buffer.compare(account.owner, owner) !== 0 || !passes(account.data)) return []
            return [{ pubkey: toBase58(key), account: accountJson(account, config) }]
          }),
      }
    }
    case 'logsSubscribe': {
      const wanted = mentioned(params)
      return {
        kind: 'logs',
        landed: ({ signature, error, logs, keys }) =>
          wanted === null || keys.includes(wanted) ? [{ signature, err: error, logs }] : [],
      }
    }
    default:
      return { kind: 'slot' }
  }

  function seen(key: Uint8Array): object {
    const account = chain.account(key)
    if (account) return accountJson(account, config)
    const gone = { lamports: 0n, data: new Uint8Array(0), owner: new Uint8Array(32), executable: false }
    return accountJson(gone, config)
  }
}

/** "all", "allWithVotes" or {mentions: [address]}. */
function mentioned(params: Params): string | null {
  if (params.length === 0) return null
  const filter = params.value(0)
  if (filter === 'all' || filter === 'allWithVotes') return null
  const mentions: unknown =
    typeof filter === 'object' && filter !== null && 'mentions' in filter ? filter.mentions : null
  const address: unknown = Array.isArray(mentions) && mentions.length === 1 ? mentions[0] : null
  if (typeof address !== 'string' || fromBase58(address, 32) === null)
    throw RpcError.INVALID_PARAMS('Invalid Request: Only 1 address supported')
  return address
}
