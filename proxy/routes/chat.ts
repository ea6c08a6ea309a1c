/** POST /v1/chat/completions. */
import { collectChoices } from '../choices.js'
import { ChatChunkWriter, chatBody } from '../dialect/chat-writer.js'
import { chatPrompt } from '../dialect/messages.js'
import { receiptHeaders, swarmdFields } from '../dialect/receipts.js'
import { refuseChatFields } from '../dialect/refusals.js'
import { routingFrom } from '../dialect/routing.js'
import { samplingFrom, seedOf } from '../dialect/sampling.js'
import { stopList } from '../dialect/stop.js'
import { usageOf } from '../dialect/usage.js'
import { ProxyError } from '../errors.js'
import type { GenerateRequest } from '../port.js'
import { CHAT_BODY } from '../schema/chat.js'
import type { ChatBody } from '../schema/chat.js'
import { streamAnswer } from '../stream-answer.js'
import type { RouteContext } from './context.js'

export function chatRoute({ app, backend, calls, paths, callerName }: RouteContext): void {
  for (const url of paths('/chat/completions')) {
    app.post<{ Body: ChatBody }>(url, { schema: { body: CHAT_BODY } }, async (request, reply) => {
      const body = request.body
      refuseChatFields(body)
      const requests = chatRequests(
        body,
        routingFrom(body.provider ?? null, request.headers),
        callerName(request.headers),
      )
      const call = calls.open(request, reply, 'messages')
      const identity = { id: call.answerId('chatcmpl'), created: call.created, model: body.model }
      const logprobs = alternativesOf(body)

      if (body.stream === true) {
        const includeUsage = body.stream_options?.include_usage === true
        const plan = { identity, requests, choicesPerPrompt: requests.length, includeUsage }
        return streamAnswer(backend, call, plan, new ChatChunkWriter(identity, { logprobs, includeUsage }))
      }
      const choices = await call.guard(collectChoices(backend, requests, call.signal, 'apart'))
      const results = choices.map((choice) => choice.done)
      const seeds = choices.map((choice) => choice.started?.seed ?? null)
      const swarmd = swarmdFields(
        results.map((result) => result.receipt),
        seeds,
      )
      const model = choices[0]?.started?.model ?? body.model
      reply.headers(receiptHeaders(swarmd))
      return reply.send(chatBody({ ...identity, model }, choices, usageOf(results, choices.length), swarmd, logprobs))
    })
  }
}

/** One neutral request per choice. */
function chatRequests(
  body: ChatBody,
  routing: GenerateRequest['routing'],
  caller: string | null,
): readonly GenerateRequest[] {
  const sampling = samplingFrom(body)
  const base = {
    model: body.model,
    prompt: chatPrompt(body.messages),
    maxTokens: tightest(body.max_tokens ?? null, body.max_completion_tokens ?? null),
    stop: stopList(body.stop ?? null),
    logprobs: alternativesOf(body),
    routing,
    caller,
  }
  return Array.from({ length: body.n ?? 1 }, (_, index) => ({
    ...base,
    sampling: { ...sampling, seed: seedOf(sampling.seed, index) },
  }))
}

/** Alternatives per position; null = no logprobs. */
function alternativesOf(body: ChatBody): number | null {
  if (body.logprobs === true) return body.top_logprobs ?? 0
  if (typeof body.top_logprobs !== 'number') return null
  throw ProxyError.INVALID_VALUE('top_logprobs', "needs 'logprobs' to be true")
}

/** Both names of the limit work; given both, both hold. */
function tightest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b
  return Math.min(a, b)
}
