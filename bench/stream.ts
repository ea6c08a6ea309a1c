/**
 * A client that costs little: a kept-alive connection, and an eye that counts events without parsing each of them.
 */
import { Agent, request } from 'node:http'

export interface Streamed {
  /** Milliseconds from sending to the first event that carries text. */
  readonly firstMs: number
  /** Milliseconds from that event to the last. */
  readonly restMs: number
  /** Output tokens, as the usage chunk states them. */
  readonly tokens: number
  /** Chunks that carried them. */
  readonly events: number
}

export interface Client {
  /** One streamed answer. `body` without `stream`. Throws on any status but 200 and on an error event. */
  stream(path: string, body: object): Promise<Streamed>
  /** One whole answer, read to its end and not looked at. Returns the status. */
  post(path: string, body: object): Promise<number>
  close(): void
}

export function createClient(url: string): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })
  const send = (path: string, body: string, onChunk: (chunk: Buffer) => void): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
      const sent = request(`${url}${path}`, { method: 'POST', agent, headers }, (response) => {
        response.on('data', onChunk)
        response.once('end', () => resolve(response.statusCode ?? 0))
        response.once('error', reject)
      })
      sent.once('error', reject)
      sent.end(body)
    })

  return {
    async stream(path, body) {
      const begun = performance.now()
      let first = 0
      let last = 0
      let tail = ''
      let events = 0
      const json = JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } })
      const status = await send(path, json, (chunk) => {
        const part = chunk.toString('latin1')
        // The role chunk and comments come before any token; a chunk with text has a non-empty content or text field.
        if (first === 0 && /"(content|text|reasoning_content)":"[^"]/.test(part)) first = performance.now()
        if (first !== 0 && !part.startsWith('data: [DONE]')) last = performance.now()
        for (let at = part.indexOf('data: '); at >= 0; at = part.indexOf('data: ', at + 6)) events++
        tail = (tail + part).slice(-4096)
      })
      if (status !== 200 || tail.includes('"error":{')) throw new Error(`HTTP ${status}: ${tail.slice(-500)}`)
      const tokens = Number(/"completion_tokens":(\d+)/.exec(tail)?.[1] ?? Number.NaN)
      if (first === 0 || Number.isNaN(tokens)) throw new Error(`no text or no usage: ${tail.slice(-500)}`)
      return { firstMs: first - begun, restMs: last - first, tokens, events }
    },
    post(path, body) {
      return send(path, JSON.stringify(body), () => undefined)
    },
    close() {
      agent.destroy()
    },
  }
}
