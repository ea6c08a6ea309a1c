/** One streamed question to an OpenAI-compatible API, with nothing but fetch: what any SDK does. */

export interface Told {
  readonly promptTokens: number
  readonly outputTokens: number
  readonly provider: string
  readonly costLamports: string
  readonly ttftMs: number
  /** First to last token. */
  readonly decodeMs: number
}

export interface Question {
  readonly apiUrl: string
  readonly model: string
  readonly text: string
  readonly signal: AbortSignal
  readonly onText: (text: string, kind: 'answer' | 'thought') => void
}

/** Throws with the API's own message. */
export async function ask({ apiUrl, model, text, signal, onText }: Question): Promise<Told> {
  const response = await fetch(`${apiUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      messages: [{ role: 'user', content: text }],
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    }),
    signal,
  })
  if (!response.ok || !response.body) throw new Error(messageOf(await response.json()))
  let first = 0
  let last = 0
  let end: Chunk = {}
  for await (const data of serverSentData(response.body)) {
    const chunk = JSON.parse(data) as Chunk
    if (chunk.error) throw new Error(messageOf(chunk))
    const delta = chunk.choices?.[0]?.delta
    const said = delta?.content ?? ''
    const thought = delta?.reasoning_content ?? ''
    if (said || thought) {
      last = performance.now()
      first ||= last
      onText(said || thought, said ? 'answer' : 'thought')
    }
    if (chunk.usage) end = chunk
  }
  return {
    promptTokens: end.usage?.prompt_tokens ?? 0,
    outputTokens: end.usage?.completion_tokens ?? 0,
    provider: end.swarmd?.provider ?? '',
    costLamports: end.swarmd?.cost_lamports ?? '0',
    ttftMs: end.swarmd?.ttft_ms ?? 0,
    decodeMs: last - first,
  }
}

interface Chunk {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null; readonly reasoning_content?: string | null }
  }[]
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null
  readonly swarmd?: { readonly provider: string; readonly cost_lamports: string; readonly ttft_ms: number }
  readonly error?: { readonly message: string }
}

function messageOf(body: unknown): string {
  const { error } = body as Chunk
  return error?.message ?? 'The API answered with an error.'
}

/** The data of each event; comments are skipped. https://html.spec.whatwg.org/multipage/server-sent-events.html */
async function* serverSentData(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (line.startsWith('data: ') && line !== 'data: [DONE]') yield line.slice('data: '.length).trimEnd()
    }
  }
}
