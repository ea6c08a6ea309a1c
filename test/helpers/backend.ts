/** A backend without a swarm: answers what the test told it to, and remembers what it was asked. */
import type {
  Backend,
  CallReceipt,
  EmbedRequest,
  EmbedResult,
  GenerateEvent,
  GenerateRequest,
  Health,
  ModelCard,
  TokenLogprob,
} from '../../proxy/port.js'

export const PROVIDER = 'ab'.repeat(32)

export class BackendError extends Error {
  readonly code: string
  readonly context: Readonly<Record<string, unknown>>
  readonly retryAfterMs: number | null

  constructor(
    code: string,
    message: string,
    context: Readonly<Record<string, unknown>> = {},
    retryAfterMs: number | null = null,
  ) {
    super(message)
    this.code = code
    this.context = context
    this.retryAfterMs = retryAfterMs
  }
}

type Script = (request: GenerateRequest, signal: AbortSignal) => AsyncIterable<GenerateEvent>
type Embedder = (request: EmbedRequest, signal: AbortSignal) => Promise<EmbedResult>

export class FakeBackend implements Backend {
  readonly asked: GenerateRequest[] = []
  readonly embedded: EmbedRequest[] = []
  cards: readonly ModelCard[] = [card('toy:q8_0')]
  state: Health = { status: 'ok', peers: 2, models: 1, uptimeMs: 1234.5, version: '0.0.0-test' }
  script: Script
  embedder: Embedder

  constructor(script: Script = speak(['Hello', ', ', 'world'])) {
    this.script = script
    this.embedder = async (request) => ({
      model: request.model,
      vectors: request.inputs.map((_, index) => Float32Array.from([0.6, 0.8 * (index % 2 === 0 ? 1 : -1)])),
      promptTokens: request.inputs.length * 3,
      receipt: receipt('e'),
    })
  }

  models(): readonly ModelCard[] {
    return this.cards
  }

  generate(request: GenerateRequest, signal: AbortSignal): AsyncIterable<GenerateEvent> {
    this.asked.push(request)
    return this.script(request, signal)
  }

  embed(request: EmbedRequest, signal: AbortSignal): Promise<EmbedResult> {
    this.embedded.push(request)
    return this.embedder(request, signal)
  }

  health(): Health {
    return this.state
  }
}

export function card(id: string, more: Partial<ModelCard> = {}): ModelCard {
  return {
    id,
    root: 'cd'.repeat(32),
    aliases: [],
    created: 1_700_000_000_500,
    contextLength: 8192,
    quantisation: 'Q8_0',
    parameters: 1_000_000,
    features: ['chat', 'completion', 'embeddings'],
    price: null,
    providers: 1,
    local: true,
    tokensPerSecond: null,
    ttftMs: null,
    notice: null,
    ...more,
  }
}

export function receipt(id: string, more: Partial<CallReceipt> = {}): CallReceipt {
  return { id, provider: PROVIDER, costMicroLamports: 1_500_000n, ttftMs: 12.345, overheadMs: 0.5, ...more }
}

export function started(
  request: GenerateRequest,
  more: Partial<Extract<GenerateEvent, { type: 'started' }>> = {},
): GenerateEvent {
  return {
    type: 'started',
    id: 'e1',
    model: request.model,
    provider: PROVIDER,
    promptTokens: 7,
    seed: request.sampling.seed ?? 42n,
    ...more,
  }
}

export function text(text: string, more: Partial<Extract<GenerateEvent, { type: 'text' }>> = {}): GenerateEvent {
  return { type: 'text', channel: 'text', text, tokens: [1], logprobs: null, ...more }
}

export function done(output: number, more: Partial<Extract<GenerateEvent, { type: 'done' }>> = {}): GenerateEvent {
  return {
    type: 'done',
    finish: 'stop',
    stopText: null,
    usage: { prompt: 7, cached: 2, output, thought: 0 },
    receipt: receipt('e1'),
    ...more,
  }
}

export function logprob(token: number, bytes: string | Uint8Array, top: readonly string[] = []): TokenLogprob {
  const encode = (value: string | Uint8Array): Uint8Array =>
    typeof value === 'string' ? new TextEncoder().encode(value) : value
  return {
    token,
    bytes: encode(bytes),
    logprob: -0.25,
    top: top.map((value, index) => ({ token: index, bytes: encode(value), logprob: -0.25 - index })),
  }
}

/** A script that says the pieces, one event each, after `before`. */
export function speak(pieces: readonly string[], before: readonly GenerateEvent[] = []): Script {
  return async function* (request) {
    yield* before
    yield started(request)
    for (const piece of pieces) yield text(piece)
    yield done(pieces.length)
  }
}

/** A script that fails at once. */
export function fail(error: Error): Script {
  return async function* () {
    throw error
  }
}

/** A script that says one piece and then waits for ever, until it is cancelled. */
export function hang(onAbort: () => void = () => undefined): Script {
  return async function* (request, signal) {
    yield started(request)
    yield text('first')
    await untilAborted(signal)
    onAbort()
    throw new BackendError('CANCELLED', 'cancelled')
  }
}

export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
