/** What Fastify, Node's HTTP parser and zlib complain about, in this API's words. */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { ProxyError } from './errors.js'
import { errorBody, errorHeaders, translate } from './faults.js'

/** Anything that reached the error handler. `bodyLimit` in bytes. */
export function translateHttp(error: unknown, requestId: string, bodyLimit: number): ProxyError {
  const code = codeOf(error)
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return ProxyError.BODY_TOO_LARGE(bodyLimit)
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return ProxyError.UNSUPPORTED_MEDIA_TYPE('Send the body as Content-Type: application/json.')
  }
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH') {
    return ProxyError.INVALID_BODY('The body is not as long as Content-Length says.')
  }
  if (code === 'FST_ERR_BAD_URL' || code === 'FST_ERR_MAX_PARAM_LENGTH') {
    return ProxyError.INVALID_BODY('The URL cannot be read.')
  }
  // zlib's own codes, and Brotli's.
  if (code.startsWith('Z_') || code.startsWith('ERR__ERROR_'))
    return ProxyError.INVALID_BODY('The body does not inflate.')
  return translate(error, requestId)
}

/** Answers a request that never became one: the parser gave up. Nothing can follow on the connection. */
export function answerUnparsed(error: unknown, socket: Socket, requestId: string): void {
  if (codeOf(error) === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const answer =
    codeOf(error) === 'HPE_HEADER_OVERFLOW'
      ? ProxyError.HEADERS_TOO_LARGE()
      : ProxyError.INVALID_BODY('The request is not HTTP/1.1.')
  const body = errorBody(answer)
  const headers = {
    ...errorHeaders(answer),
    'x-request-id': requestId,
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  socket.end(`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}\r\n${lines.join('\r\n')}\r\n\r\n${body}`)
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}
