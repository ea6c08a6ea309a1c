/**
 * A local engine, spoken to as if it were a peer: the same body, the same events, no wire. So one loop serves both, and a
 * request that finds the local queue full goes on to the swarm.
 */
import type { AnswerEvent, AskBody, AskLimits } from '../../swarm/port.js'
import type { Engine } from '../engine/port.js'

/** The queue is fair between parties; the owner's own requests go first. */
const LOCAL_PARTY = 'local'

export async function* localAnswer(
  engine: Engine,
  body: AskBody,
  limits: AskLimits,
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent> {
  const started = performance.now()
  if (body.kind === 'embed') {
    const { vectors, promptTokens } = await engine.embed({ inputs: body.inputs, party: LOCAL_PARTY }, signal)
    yield { type: 'vectors', index: 0, vectors }
    const usage = { prompt: promptTokens, cached: 0, output: 0, thought: 0 }
    yield {
      type: 'done',
      finish: 'stop',
      stopText: null,
      usage,
      providerMs: performance.now() - started,
      receipt: null,
    }
    return
  }
  const { prompt, sampling, stop, logprobs, resume } = body
  const job = { prompt, sampling, stop, logprobs, resume, maxTokens: limits.maxTokens, party: LOCAL_PARTY }
  let cached = 0
  for await (const event of engine.generate(job, signal)) {
    switch (event.type) {
      case 'admitted':
        cached = event.cachedTokens
        yield { type: 'prefill', done: cached, total: event.promptTokens, cached }
        break
      case 'prefill':
        yield { ...event, cached }
        break
      case 'done':
        yield { ...event, providerMs: performance.now() - started, receipt: null }
        break
      case 'queued':
      case 'tokens':
        yield event
        break
    }
  }
}
