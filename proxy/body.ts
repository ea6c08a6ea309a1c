/** Request bodies: JSON only, plain or compressed, bounded before and after inflation. */
import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import { ProxyError } from './errors.js'

const INFLATERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
}

/** Fastify counts what comes out of the stream against the limit, and `receivedEncodedLength` against Content-Length. */
type Counted = Transform & { receivedEncodedLength: number }

export function acceptBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, parse(String(body)))
    } catch (error) {
      done(ProxyError.INVALID_JSON(error instanceof Error ? error.message : 'it does not parse'))
    }
  })
  app.addHook('preParsing', (request, _reply, payload, done) => {
    const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
    if (encoding === 'identity' || encoding === '') return done(null, payload)
    const create = INFLATERS[encoding]
    if (create === undefined) {
      return done(ProxyError.UNSUPPORTED_MEDIA_TYPE('Content-Encoding must be gzip, deflate, br or identity.'))
    }
    const inflater: Counted = Object.assign(create(), { receivedEncodedLength: 0 })
    payload.on('data', (chunk: Buffer) => {
      inflater.receivedEncodedLength += chunk.length
    })
    payload.on('error', (error) => inflater.destroy(error))
    done(null, payload.pipe(inflater))
  })
}

function parse(text: string): unknown {
  if (text === '') throw new SyntaxError('it is empty')
  // Some shells put a byte order mark before what they send.
  return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text) as unknown
}
