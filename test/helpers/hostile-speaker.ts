/** Well-formed things a hostile provider can say about an ask, at the wrong moment or with the wrong contents. */
import type { AskTerms } from '../../swarm/port.js'
import { endingMessage } from '../../swarm/wire/done.js'
import type { Done } from '../../swarm/wire/done.js'
import { frameMessage } from '../../swarm/wire/frame.js'
import type { FrameBody } from '../../swarm/wire/frame.js'
import type { Heard } from './hostile-peer.js'

export const TERMS: AskTerms = { promptTokens: 1, cachedTokens: 0, limit: 1000n, window: 100n, ahead: 0n }

export interface Speaker {
  accept(): void
  terms(over?: Partial<AskTerms>): void
  frame(sequence: number, index: number, frame?: Partial<Extract<FrameBody, { kind: 'text' }>>): void
  vectors(sequence: number, index: number, vectors: readonly Float32Array[]): void
  /** `over`: a receipt, or another usage than what was sent. */
  done(sequence: number, over?: Partial<Omit<Done, 'id' | 'sequence' | 'sealed'>>): void
  /** Message 14. */
  receipt(receipt: Uint8Array): void
  fail(code: string): void
}

export function speaker({ line, ask, response }: Pick<Heard, 'line' | 'ask' | 'response'>): Speaker {
  const { id } = ask
  const send = (sequence: number, index: number, body: FrameBody): void =>
    line.say('tokens', { id, sequence, index, sealed: response.seal(frameMessage, body, 'tokens', index, sequence) })
  return {
    accept: () => line.say('answer', { kind: 'accepted', id, queuePosition: 0 }),
    terms: (over = {}) => line.say('terms', { id, ...TERMS, ...over }),
    frame: (sequence, index, frame = {}) =>
      send(sequence, index, { kind: 'text', channel: 'text', tokens: [7], text: 'so ', positions: null, ...frame }),
    vectors: (sequence, index, vectors) => send(sequence, index, { kind: 'vectors', vectors }),
    done: (sequence, over = {}) =>
      line.say('done', {
        id,
        sequence,
        finish: 'stop',
        usage: { prompt: 1, cached: 0, output: 1, thought: 0 },
        providerMs: 1,
        receipt: null,
        ...over,
        sealed: response.seal(endingMessage, { stopText: null }, 'done', 0, sequence),
      }),
    receipt: (receipt) => line.say('receipt', { id, receipt }),
    fail: (code) => line.say('error', { id, code, detail: '' }),
  }
}
