/** A proxy over a fake backend, opened for one test, and the little that a client needs to read it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import { createProxy } from '../../proxy/proxy.js'
import type { ProxyOptions } from '../../proxy/proxy.js'
import { FakeBackend } from './backend.js'

export interface OpenProxy {
  readonly backend: FakeBackend
  readonly port: number
  /** `http://127.0.0.1:n/v1` */
  readonly base: string
  close(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Undefined when the body is no JSON. */
  readonly json: Json
}

/** JSON as a test looks into it: any path may be taken, what is not there is undefined. */
export interface Json {
  readonly [key: string]: Json
}

export async function openProxy(
  t: TestContext,
  backend: FakeBackend = new FakeBackend(),
  options: Omit<ProxyOptions, 'backend'> = {},
): Promise<OpenProxy> {
  const proxy = createProxy({ backend, port: 0, ...options })
  t.after(() => proxy.close())
  await proxy.ready()
  const address = proxy.address
  if (address === null) throw new Error('no address')
  return { backend, port: address.port, base: address.baseUrl, close: () => proxy.close() }
}

export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init)
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: parse(text) }
}

export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return ask(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

/** Every error has this body and these headers, whatever raised it. */
export function assertError(
  answer: Answer,
  status: number,
  type: string,
  code: string,
  param: string | null = null,
): void {
  assert.equal(answer.status, status, answer.text)
  assert.match(answer.headers.get('x-request-id') ?? '', /^req_[0-9a-f]{32}$/)
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
  assert.deepEqual(Object.keys(answer.json), ['error'])
  const { message, ...rest } = answer.json['error'] ?? {}
  assert.deepEqual(rest, { type, param, code })
  assert.ok(String(message).length > 5)
}

export interface Events {
  readonly comments: readonly string[]
  /** The JSON of every `data:` but `[DONE]`. */
  readonly data: readonly Json[]
  readonly done: boolean
}

export function events(text: string): Events {
  const blocks = text.split('\n\n').filter((block) => block !== '')
  const data = blocks.filter((block) => block.startsWith('data: ')).map((block) => block.slice('data: '.length))
  return {
    comments: blocks.filter((block) => block.startsWith(': ')).map((block) => block.slice(2)),
    data: data.filter((item) => item !== '[DONE]').map((item) => JSON.parse(item) as Json),
    done: data.at(-1) === '[DONE]',
  }
}

/** A request whose response is read at the test's own pace. */
export async function openResponse(port: number, path: string, body: object): Promise<IncomingMessage> {
  const sent = httpRequest({ port, host: '127.0.0.1', path, method: 'POST', agent: false })
  sent.setHeader('content-type', 'application/json')
  sent.end(JSON.stringify(body))
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.on('error', () => undefined)
  return response
}

/** Sends bytes as they are; resolves with all that came back until the server closed. */
export async function raw(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => undefined)
  socket.write(bytes)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined as unknown as Json
  }
}
