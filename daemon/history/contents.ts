/** What was asked and answered, decrypted: as JSON, as words to search in, and as a conversation for fine-tuning. */
import { decodeRequest, decodeResponse } from '../../ledger/exchange.js'
import type { ExchangeRequest, KeptResponse } from '../../ledger/exchange.js'
import type { Content } from '../../ledger/content.js'

export interface Exchange {
  readonly request: ExchangeRequest
  readonly response: KeptResponse
}

/** Characters around what was found. */
const EXCERPT = 60

/** Throws `BAD_ENCODING` or `UNKNOWN_VERSION`. */
export function exchangeOf(content: Content): Exchange {
  return { request: decodeRequest(content.request), response: decodeResponse(content.response) }
}

/** JSON with seeds as decimal strings; vectors as arrays of numbers. */
export function exchangeJson({ request, response }: Exchange): string {
  const { body, maxTokens } = request
  return JSON.stringify({ request: { ...body, maxTokens }, response }, (_name, value: unknown) => {
    if (typeof value === 'bigint') return value.toString()
    if (value instanceof Float32Array) return [...value]
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
  })
}

/** Where `wanted` (lower-case) stands in what was said, with some words around it; null = nowhere. */
export function excerptOf(exchange: Exchange, wanted: string): string | null {
  for (const text of spoken(exchange)) {
    const at = text.toLowerCase().indexOf(wanted)
    if (at < 0) continue
    const from = Math.max(0, at - EXCERPT)
    const to = Math.min(text.length, at + wanted.length + EXCERPT)
    const cut = `${from > 0 ? '…' : ''}${text.slice(from, to)}${to < text.length ? '…' : ''}`
    return cut.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()
  }
  return null
}

function* spoken({ request: { body }, response }: Exchange): Generator<string> {
  if (response.kind === 'generate') yield* [response.text, response.thought]
  if (body.kind === 'embed') yield* body.inputs.filter((input) => typeof input === 'string')
  else if (body.prompt.kind === 'text') yield body.prompt.text
  else if (body.prompt.kind === 'chat') for (const { content } of body.prompt.messages.toReversed()) yield content
}

/**
 * A line of a training file: `{"messages": […]}` as OpenAI's fine-tuning takes it. A text is what it is not: the reason
 * why there is none.
 */
export function conversationOf({ request: { body }, response }: Exchange): object | string {
  if (body.kind === 'embed' || response.kind === 'embed') return 'an embedding'
  if (body.resume.length > 0) return 'the rest of an answer that another provider began'
  if (response.finish !== 'stop' && response.finish !== 'length') return 'an answer that was cut'
  if (response.text === '') return 'an answer without a text'
  if (body.prompt.kind === 'tokens') return 'a prompt of token ids'
  const asked = body.prompt.kind === 'chat' ? body.prompt.messages : [{ role: 'user', content: body.prompt.text }]
  return { messages: [...asked, { role: 'assistant', content: response.text }] }
}
