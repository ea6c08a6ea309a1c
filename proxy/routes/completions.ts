/** POST /v1/completions: text in, text on, without a chat template. */
import { collectChoices } from '../choices.js'
import { CompletionChunkWriter, completionBody } from '../dialect/completion-writer.js'
import { inputList } from '../dialect/prompts.js'
import type { Input } from '../dialect/prompts.js'
import { receiptHeaders, swarmdFields } from '../dialect/receipts.js'
import { refuseCompletionFields } from '../dialect/refusals.js'
import { routingFrom } from '../dialect/routing.js'
import { samplingFrom, seedOf } from '../dialect/sampling.js'
import { stopList } from '../dialect/stop.js'
import { usageOf } from '../dialect/usage.js'
import { ProxyError } from '../errors.js'
import type { GenerateRequest } from '../port.js'
import { COMPLETION_BODY } from '../schema/completion.js'
import type { CompletionBody } from '../schema/completion.js'
import { streamAnswer } from '../stream-answer.js'
import type { RouteContext } from './context.js'

/** Prompts times `n`: each is a request of its own to the backend. */
const MAX_CHOICES = 128
/** OpenAI's documented default. */
const DEFAULT_MAX_TOKENS = 16

export function completionsRoute({ app, backend, calls, paths, callerName }: RouteContext): void {
  for (const url of paths('/completions')) {
    app.post<{ Body: CompletionBody }>(url, { schema: { body: COMPLETION_BODY } }, async (request, reply) => {
      const body = request.body
      refuseCompletionFields(body)
      const prompts = promptsOf(body)
      const requests = completionRequests(
        body,
        prompts,
        routingFrom(body.provider ?? null, request.headers),
        callerName(request.headers),
      )
      const call = calls.open(request, reply, 'prompt')
      const identity = { id: call.answerId('cmpl'), created: call.created, model: body.model }
      const perPrompt = body.n ?? 1
      const options = {
        logprobs: body.logprobs ?? null,
        includeUsage: body.stream_options?.include_usage === true,
        echo: requests.map((each) => (body.echo === true && each.prompt.kind === 'text' ? each.prompt.text : '')),
      }

      if (body.stream === true) {
        const plan = { identity, requests, choicesPerPrompt: perPrompt, includeUsage: options.includeUsage }
        return streamAnswer(backend, call, plan, new CompletionChunkWriter(identity, options))
      }
      const choices = await call.guard(collectChoices(backend, requests, call.signal, 'together'))
      const results = choices.map((choice) => choice.done)
      const seeds = choices.map((choice) => choice.started?.seed ?? null)
      const swarmd = swarmdFields(
        results.map((result) => result.receipt),
        seeds,
      )
      const model = choices[0]?.started?.model ?? body.model
      reply.headers(receiptHeaders(swarmd))
      return reply.send(completionBody({ ...identity, model }, choices, usageOf(results, perPrompt), swarmd, options))
    })
  }
}

function promptsOf(body: CompletionBody): readonly Input[] {
  const perPrompt = body.n ?? 1
  const prompts = inputList('prompt', body.prompt, Math.floor(MAX_CHOICES / perPrompt))
  if (body.echo === true && prompts.some((prompt) => typeof prompt !== 'string')) {
    throw ProxyError.UNSUPPORTED_PARAMETER('echo', 'needs prompts of text: token ids are not turned back into it')
  }
  if (body.echo === true && typeof body.logprobs === 'number') {
    throw ProxyError.UNSUPPORTED_PARAMETER('logprobs', 'cannot be had together with echo: prompts are not scored')
  }
  return prompts
}

/** `n` requests per prompt, in prompt order: choice i of prompt p has index p × n + i. */
function completionRequests(
  body: CompletionBody,
  prompts: readonly Input[],
  routing: GenerateRequest['routing'],
  caller: string | null,
): readonly GenerateRequest[] {
  const sampling = samplingFrom(body)
  const base = {
    model: body.model,
    maxTokens: body.max_tokens ?? DEFAULT_MAX_TOKENS,
    stop: stopList(body.stop ?? null),
    logprobs: body.logprobs ?? null,
    routing,
    caller,
  }
  return prompts.flatMap((prompt) =>
    Array.from({ length: body.n ?? 1 }, (_, index) => ({
      ...base,
      prompt:
        typeof prompt === 'string'
          ? ({ kind: 'text', text: prompt } as const)
          : ({ kind: 'tokens', tokens: prompt } as const),
      sampling: { ...sampling, seed: seedOf(sampling.seed, index) },
    })),
  )
}
