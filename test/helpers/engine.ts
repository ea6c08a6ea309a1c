/** Asks an engine and collects the answer. */
import { fileURLToPath } from 'node:url'
import { existsSync } from 'node:fs'
import type { Engine, EngineEvent, GenerateJob, Position } from '../../daemon/engine/port.js'

export const PLAIN_SAMPLING: GenerateJob['sampling'] = {
  temperatureMilli: 0,
  topPMilli: 1000,
  minPMilli: 0,
  topK: 0,
  presencePenaltyMilli: 0,
  frequencyPenaltyMilli: 0,
  repeatPenaltyMilli: 1000,
  logitBias: [],
  seed: 1n,
}

/** Draws from the whole distribution: every difference of a logit can show. */
export const WILD_SAMPLING: GenerateJob['sampling'] = { ...PLAIN_SAMPLING, temperatureMilli: 1000 }

export interface Answer {
  readonly tokens: readonly number[]
  readonly text: string
  readonly thought: string
  readonly positions: readonly Position[]
  readonly done: Extract<EngineEvent, { type: 'done' }>
  readonly cached: number
  readonly events: readonly EngineEvent[]
}

export function job(more: Partial<GenerateJob> = {}): GenerateJob {
  return {
    prompt: { kind: 'text', text: 'Once upon a time' },
    sampling: PLAIN_SAMPLING,
    maxTokens: 16,
    stop: [],
    logprobs: null,
    resume: [],
    party: 'local',
    ...more,
  }
}

export function chat(content: string): GenerateJob['prompt'] {
  return { kind: 'chat', messages: [{ role: 'user', content }] }
}

export async function ask(
  engine: Engine,
  more: Partial<GenerateJob> = {},
  signal = new AbortController().signal,
): Promise<Answer> {
  const events: EngineEvent[] = []
  for await (const event of engine.generate(job(more), signal)) events.push(event)
  return collect(events)
}

export function collect(events: readonly EngineEvent[]): Answer {
  const frames = events.filter((event) => event.type === 'tokens')
  const done = events.find((event) => event.type === 'done')
  if (done === undefined) throw new Error('the answer has no end')
  const text = (channel: 'text' | 'thought'): string =>
    frames
      .filter((frame) => frame.channel === channel)
      .map((frame) => frame.text)
      .join('')
  return {
    tokens: frames.flatMap((frame) => frame.tokens),
    text: text('text'),
    thought: text('thought'),
    positions: frames.flatMap((frame) => frame.positions ?? []),
    done,
    cached: done.usage.cached,
    events,
  }
}

/** The demo model that comes with the repository. */
export const SEEDLING = fileURLToPath(new URL('../../../models/seedling/seedling.gguf', import.meta.url))

export function seedlingMissing(): string | false {
  return existsSync(SEEDLING) ? false : 'models/seedling/seedling.gguf is not in this checkout'
}
