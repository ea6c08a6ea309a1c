/** One question to the local API, streamed (server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html). */
import { DaemonError } from '../daemon/errors.js'

export interface ChatEndpoint {
  /** With `/v1`. */
  readonly baseUrl: string
  readonly key: string | null
}

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

export interface ChatQuestion {
  readonly model: string
  readonly messages: readonly ChatMessage[]
  readonly maxTokens: number | null
  /** Wishes about providers and money, as the API takes them; absent = none. */
  readonly provider?: Readonly<Record<string, unknown>>
}

export type ChatEvent =
  /** Queue position or prefill, as the API words it. */
  { readonly type: 'waiting'; readonly what: string } | { readonly type: 'thought' | 'text'; readonly text: string }

export interface ChatAnswer {
  readonly model: string
  readonly text: string
  readonly thoughts: string
  readonly finish: string | null
  readonly usage: ChatUsage | null
  /** The API's own extra fields: provider, cost, times. */
  readonly swarmd: Readonly<Record<string, unknown>> | null
}

export interface ChatUsage {
  readonly prompt_tokens: number
  readonly completion_tokens: number
}

/** The daemon sends a comment at least every second; an event is far below this. */
const MAX_EVENT_CHARACTERS = 4 * 1_048_576

/** Throws `NOT_RUNNING` when nobody listens, `CHAT_FAILED` with the API's own words when it refuses. */
export async function askChat(
  endpoint: ChatEndpoint,
  question: ChatQuestion,
  signal: AbortSignal,
  onEvent: (event: ChatEvent) => void,
): Promise<ChatAnswer> {
  const response = await post(endpoint, question, signal)
  if (!response.ok || response.body === null) throw DaemonError.CHAT_FAILED(await refusal(response))
  const collected: { -readonly [K in keyof ChatAnswer]: ChatAnswer[K] } = {
    model: question.model,
    text: '',
    thoughts: '',
    finish: null,
    usage: null,
    swarmd: null,
  }
  for await (const event of events(response.body)) {
    if (event.startsWith(':')) onEvent({ type: 'waiting', what: event.slice(1).trim() })
    else if (event.startsWith('data: ') && event !== 'data: [DONE]') take(JSON.parse(event.slice(6)) as Answer)
  }
  return collected

  function take(chunk: Answer): void {
    if (chunk.error !== undefined) throw DaemonError.CHAT_FAILED(chunk.error.message)
    collected.model = chunk.model ?? collected.model
    collected.usage = chunk.usage ?? collected.usage
    collected.swarmd = chunk.swarmd ?? collected.swarmd
    const choice = chunk.choices?.[0]
    collected.finish = choice?.finish_reason ?? collected.finish
    const { content, reasoning_content: thought } = choice?.delta ?? {}
    if (thought) {
      collected.thoughts += thought
      onEvent({ type: 'thought', text: thought })
    }
    if (content) {
      collected.text += content
      onEvent({ type: 'text', text: content })
    }
  }
}

/** A chunk of /v1/chat/completions, as far as it is read here. */
interface Answer {
  readonly error?: { readonly message: string }
  readonly model?: string
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null; readonly reasoning_content?: string | null }
    readonly finish_reason?: string | null
  }[]
  readonly usage?: ChatUsage | null
  readonly swarmd?: Readonly<Record<string, unknown>>
}

async function post({ baseUrl, key }: ChatEndpoint, question: ChatQuestion, signal: AbortSignal): Promise<Response> {
  const { model, messages, maxTokens, provider } = question
  const limit = maxTokens === null ? {} : { max_completion_tokens: maxTokens }
  try {
    return await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
      body: JSON.stringify({
        model,
        messages,
        stream: true,
        stream_options: { include_usage: true },
        ...limit,
        provider,
      }),
      signal,
    })
  } catch (error) {
    if (signal.aborted) throw error
    throw DaemonError.NOT_RUNNING(`Nobody answers at ${baseUrl}. Start a daemon with "swarmd up".`)
  }
}

async function refusal(response: Response): Promise<string> {
  const text = await response.text()
  try {
    const body = JSON.parse(text) as Answer
    if (body.error?.message) return body.error.message
  } catch {
    // Not JSON: some other server listens there.
  }
  return `The API answered with status ${response.status}.`
}

/** Events without the blank line that ends them. */
async function* events(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let held = ''
  for await (const chunk of body) {
    held += decoder.decode(chunk, { stream: true })
    if (held.length > MAX_EVENT_CHARACTERS) throw DaemonError.CHAT_FAILED('The API sent an event without an end.')
    for (let end = held.indexOf('\n\n'); end >= 0; end = held.indexOf('\n\n')) {
      yield held.slice(0, end)
      held = held.slice(end + 2)
    }
  }
}
