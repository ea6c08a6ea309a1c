/** A stand-in for the local API: answers /v1/chat/completions with what the test writes. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export interface ApiRequest {
  readonly body: Readonly<Record<string, unknown>>
  readonly authorization: string | undefined
  /** Resolves when the caller has gone away. */
  readonly gone: Promise<void>
}

export interface ScriptedApi {
  readonly baseUrl: string
  readonly requests: readonly ApiRequest[]
}

export async function scriptedApi(
  t: TestContext,
  answer: (response: ServerResponse, request: ApiRequest) => void,
): Promise<ScriptedApi> {
  const requests: ApiRequest[] = []
  const server = createServer((incoming, response) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const request = {
        body: JSON.parse(Buffer.concat(parts).toString('utf8')) as Record<string, unknown>,
        authorization: incoming.headers.authorization,
        gone: once(response, 'close').then(() => undefined),
      }
      requests.push(request)
      answer(response, request)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests }
}

export function chunk(delta: object, finish: string | null = null): string {
  return `data: ${JSON.stringify({ model: 'm:q8', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`
}

export const LAST = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 2 }, swarmd: { provider: 'ab'.repeat(32), cost_lamports: '0.5', ttft_ms: 12 } })}\n\ndata: [DONE]\n\n`
