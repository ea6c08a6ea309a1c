/** Both ends of an ask as pure values, and what is on its way between them. */
import assert from 'node:assert/strict'
import { arrived, stepIncoming } from '../../swarm/session/incoming.js'
import type { Incoming, IncomingEvent } from '../../swarm/session/incoming.js'
import { asked, stepOutgoing } from '../../swarm/session/outgoing.js'
import type { Outgoing, OutgoingEvent } from '../../swarm/session/outgoing.js'

export const WINDOW = 8
export const LIMIT = 40
export const MAX_COST = 5

type Message = Extract<
  OutgoingEvent,
  { type: 'accepted' | 'refused' | 'terms' | 'progress' | 'frame' | 'done' | 'failed' | 'receipt' }
>
type Reply =
  | { readonly type: 'credit'; readonly more: number }
  | { readonly type: 'cancel'; readonly taken: number | null }
  | { readonly type: 'countersign' }

/** Both ends and what is on its way between them. */
export class Pair {
  consumer: Outgoing = asked('generate', 0, LIMIT, WINDOW, 'paid')
  provider: Incoming = arrived(WINDOW, 'paid')
  toConsumer: Message[] = []
  toProvider: Reply[] = []
  /** Delivered and not yet read. */
  unread: { readonly cost: number; readonly count: number }[] = []
  produced = 0
  deliveries = 0
  ends = 0
  terms = 0
  receipts = 0
  signatures = 0

  produce(event: IncomingEvent, message: Message): boolean {
    const { state, act } = stepIncoming(this.provider, event)
    this.provider = state
    if (act === 'accept-and-send') this.toConsumer.push({ type: 'accepted' })
    if (act === 'send' || act === 'accept-and-send') this.toConsumer.push(message)
    if (act === 'fail') this.toConsumer.push({ type: 'failed' })
    if (act === 'renew') this.toConsumer.push({ type: 'progress', kind: 'queued' })
    return act === 'send' || act === 'accept-and-send'
  }

  frame(count: number, cost: number): void {
    if (this.produced + count > LIMIT || this.provider.phase === 'ended') return
    const { sequence } = this.provider
    const index = this.produced
    const sent = this.produce(
      { type: 'frame', count, cost },
      { type: 'frame', kind: 'generate', sequence, index, count, cost, text: 0 },
    )
    if (sent) this.produced += count
  }

  /** With a receipt, which the consumer signs when it comes. */
  done(): void {
    this.produce({ type: 'done', receipt: 'with' }, { type: 'done', sequence: this.provider.sequence })
  }

  deliver(): void {
    const message = this.toConsumer.shift()
    if (!message) return
    const before = this.consumer
    const { state, act, violation } = stepOutgoing(before, message)
    assert.equal(violation, null, `an honest provider broke the rules: ${violation}`)
    this.consumer = state
    if (act === 'deliver' && message.type === 'frame') {
      this.unread.push({ cost: message.cost, count: message.count })
      this.deliveries += message.count
      assert.equal(message.index + message.count, state.index)
    }
    if (act === 'end') this.ends++
    if (act === 'end' && message.type === 'done') this.toProvider.push({ type: 'countersign' })
    if (act === 'deliver' && message.type === 'terms') this.terms++
    if (act === 'deliver' && message.type === 'receipt') {
      this.receipts++
      this.toProvider.push({ type: 'countersign' })
    }
  }

  reply(): void {
    const message = this.toProvider.shift()
    if (!message) return
    const event = message.type === 'credit' ? { ...message, limit: WINDOW + MAX_COST } : message
    const { state, act, violation } = stepIncoming(this.provider, event)
    if (act === 'signed') this.signatures++
    assert.equal(violation, null, `an honest consumer broke the rules: ${violation}`)
    this.provider = state
  }

  read(): void {
    const frame = this.unread.shift()
    if (frame === undefined) return
    const { state, grant } = stepOutgoing(this.consumer, { type: 'taken', ...frame })
    this.consumer = state
    if (grant > 0) this.toProvider.push({ type: 'credit', more: grant })
  }

  cancel(): void {
    const { state, act } = stepOutgoing(this.consumer, { type: 'cancel' })
    this.consumer = state
    if (act !== 'cancel') return
    this.ends++
    this.toProvider.push({ type: 'cancel', taken: state.read })
  }

  /** Half a second on both sides; messages travel faster than that. */
  tick(): void {
    this.produce({ type: 'tick', waiting: false }, { type: 'progress', kind: 'queued' })
    while (this.toConsumer.length > 0) this.deliver()
    const { state, act } = stepOutgoing(this.consumer, { type: 'tick' })
    assert.notEqual(act, 'lost', 'the lease of a live provider ran out')
    this.consumer = state
  }
}
