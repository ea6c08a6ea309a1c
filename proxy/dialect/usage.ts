/** Token counts in OpenAI's form. */
import type { DoneEvent } from '../choices.js'

export interface Usage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly total_tokens: number
  readonly prompt_tokens_details: { readonly cached_tokens: number }
  readonly completion_tokens_details: { readonly reasoning_tokens: number }
}

/** `results` in choice order, `perPrompt` choices for each prompt: a prompt counts once, however many answers it got. */
export function usageOf(results: readonly DoneEvent[], perPrompt: number): Usage {
  let [prompt, cached, output, thought] = [0, 0, 0, 0]
  for (const [index, { usage }] of results.entries()) {
    output += usage.output
    thought += usage.thought
    if (index % perPrompt !== 0) continue
    prompt += usage.prompt
    cached += usage.cached
  }
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
    prompt_tokens_details: { cached_tokens: cached },
    completion_tokens_details: { reasoning_tokens: thought },
  }
}

/** `cancelled` reads as `length`: the answer is not whole. */
export function finishReason(done: DoneEvent): 'stop' | 'length' {
  return done.finish === 'stop' ? 'stop' : 'length'
}
