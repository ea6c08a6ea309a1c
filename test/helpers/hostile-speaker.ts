/** Well-formed things a hostile provider can say about an ask, at the wrong moment if the test wants it. */
import { endingMessage } from '../../swarm/wire/done.js'
import { frameMessage } from '../../swarm/wire/frame.js'
import type { FrameBody } from '../../swarm/wire/frame.js'
import type { Heard } from './hostile-peer.js'

export interface Speaker {
  accept(): void
  frame(sequence: number, index: number, frame?: Partial<Extract<FrameBody, { kind: 'text' }>>): void
  vectors(sequence: number, index: number, vectors: readonly Float32Array[]): void
  done(sequence: number): void
}

export function speaker({ line, ask, response }: Heard): Speaker {
  const { id } = ask
  const send = (sequence: number, index: number, body: FrameBody): void =>
    line.say('tokens', { id, sequence, index, sealed: response.seal(frameMessage, body, 'tokens', index, sequence) })
  return {
    accept: () => line.say('answer', { kind: 'accepted', id, queuePosition: 0 }),
    frame: (sequence, index, frame = {}) =>
      send(sequence, index, { kind: 'text', channel: 'text', tokens: [7], text: 'so ', positions: null, ...frame }),
    vectors: (sequence, index, vectors) => send(sequence, index, { kind: 'vectors', vectors }),
    done: (sequence) =>
      line.say('done', {
        id,
        sequence,
        finish: 'stop',
        usage: { prompt: 1, cached: 0, output: 1, thought: 0 },
        providerMs: 1,
        receipt: null,
        sealed: response.seal(endingMessage, { stopText: null }, 'done', 0, sequence),
      }),
  }
}
