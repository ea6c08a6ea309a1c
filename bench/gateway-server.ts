/**
 * The proxy alone, in a process of its own, over a backend that answers at once: 8 pieces to a request, or as many as
 * `max_tokens` asks. Prints its port; ends when its input does.
 */
import type { Backend, GenerateEvent, GenerateRequest } from '../proxy/port.js'
import { createProxy } from '../proxy/proxy.js'

const PIECES = 8
const PROVIDER = '00'.repeat(32)

const backend: Backend = {
  models: () => [],
  health: () => ({ status: 'ok', peers: 0, models: 0, uptimeMs: 0, version: '0' }),
  embed: () => Promise.reject(new Error('not part of this bench')),
  async *generate(request: GenerateRequest): AsyncIterable<GenerateEvent> {
    const { model } = request
    yield { type: 'started', id: '00', model, provider: PROVIDER, promptTokens: 8, seed: 1n }
    const output = request.maxTokens ?? PIECES
    const piece: GenerateEvent = { type: 'text', channel: 'text', text: ' token', tokens: [1], logprobs: null }
    for (let index = 0; index < output; index++) yield piece
    yield {
      type: 'done',
      finish: 'stop',
      stopText: null,
      usage: { prompt: 8, cached: 0, output, thought: 0 },
      receipt: { id: '00', provider: PROVIDER, costMicroLamports: 0n, ttftMs: 0, overheadMs: 0 },
    }
  },
}

const proxy = createProxy({ backend, port: 0 })
await proxy.ready()
console.log(proxy.address?.port)
process.stdin.resume().once('end', () => void proxy.close())
