/**
 * Runs the choices of one request against the backend: one, or several (`n`, several prompts) side by side. A failure of
 * one cancels the others; the first failure is the request's.
 */
import { ProxyError } from './errors.js'
import type { Backend, GenerateEvent, GenerateRequest, TokenLogprob } from './port.js'

export type StartedEvent = Extract<GenerateEvent, { type: 'started' }>
export type TextEvent = Extract<GenerateEvent, { type: 'text' }>
export type DoneEvent = Extract<GenerateEvent, { type: 'done' }>

/** Takes one event of choice `index`; a returned promise holds that choice back until it resolves. */
export type EventSink = (index: number, event: GenerateEvent) => Promise<void> | undefined

/** One finished choice. Logprobs are those of the answer, not of the thoughts. */
export interface Choice {
  readonly text: string
  readonly thought: string
  readonly logprobs: readonly TokenLogprob[]
  readonly started: StartedEvent | null
  readonly done: DoneEvent
}

/** So many choices of one request are with the backend at a time. */
const PARALLEL = 8

/** Resolves with the last event of every choice. Throws what the backend throws. */
export async function runChoices(
  backend: Backend,
  requests: readonly GenerateRequest[],
  signal: AbortSignal,
  sink: EventSink,
): Promise<readonly DoneEvent[]> {
  const [only] = requests
  if (only !== undefined && requests.length === 1) return [await runOne(backend, only, 0, signal, sink)]

  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const results: DoneEvent[] = []
  const failures: unknown[] = []
  const waiting = requests.entries()
  const worker = async (): Promise<void> => {
    for (const [index, request] of waiting) {
      if (either.aborted) return
      try {
        results[index] = await runOne(backend, request, index, either, sink)
      } catch (error) {
        failures.push(error)
        failed.abort()
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL, requests.length) }, worker))
  if (failures.length > 0) throw failures[0]
  if (signal.aborted) throw signal.reason
  return results
}

/** `apart`: thoughts are kept from the text. `together`: all that the model wrote is the text. */
export type Channels = 'apart' | 'together'

/** Runs the choices to their ends and gives them whole. */
export async function collectChoices(
  backend: Backend,
  requests: readonly GenerateRequest[],
  signal: AbortSignal,
  channels: Channels,
): Promise<readonly Choice[]> {
  const parts = requests.map(() => ({
    text: '',
    thought: '',
    logprobs: [] as TokenLogprob[],
    started: null as StartedEvent | null,
  }))
  const results = await runChoices(backend, requests, signal, (index, event) => {
    const part = parts[index]
    if (part === undefined) return undefined
    if (event.type === 'started') part.started = event
    if (event.type !== 'text') return undefined
    if (event.channel === 'thought' && channels === 'apart') {
      part.thought += event.text
    } else {
      part.text += event.text
      if (event.logprobs !== null) part.logprobs.push(...event.logprobs)
    }
    return undefined
  })
  return parts.flatMap((part, index) => {
    const done = results[index]
    return done === undefined ? [] : [{ ...part, done }]
  })
}

async function runOne(
  backend: Backend,
  request: GenerateRequest,
  index: number,
  signal: AbortSignal,
  sink: EventSink,
): Promise<DoneEvent> {
  let last: DoneEvent | null = null
  for await (const event of backend.generate(request, signal)) {
    if (event.type === 'done') last = event
    const hold = sink(index, event)
    if (hold !== undefined) await hold
  }
  if (last !== null) return last
  if (signal.aborted) throw signal.reason
  throw ProxyError.CUT_SHORT()
}
