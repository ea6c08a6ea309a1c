/** The Fastify instance: what holds for every route. Routes themselves are in `routes/`, one file each. */
import { fastify } from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Access, CallerHeaders } from './access.js'
import { acceptBodies } from './body.js'
import { logFailure, requestId } from './call.js'
import type { Calls, ProxyLog } from './call.js'
import { corsHeaders, preflightHeaders } from './cors.js'
import { ProxyError } from './errors.js'
import { errorBody, errorHeaders } from './faults.js'
import { answerUnparsed, translateHttp } from './http-faults.js'
import type { Backend } from './port.js'
import { chatRoute } from './routes/chat.js'
import { completionsRoute } from './routes/completions.js'
import { embeddingsRoute } from './routes/embeddings.js'
import { healthRoute } from './routes/health.js'
import { modelsRoute } from './routes/models.js'
import type { SchemaCompiler } from './schema/compiler.js'

export interface ServerParts {
  readonly backend: Backend
  readonly access: Access
  readonly calls: Calls
  readonly schemas: SchemaCompiler
  readonly bodyLimit: number
  readonly log: ProxyLog | null
}

const PREFIXES = ['/v1', ''] as const
const HEALTH = /^(\/v1)?\/health\/?(\?|$)/

export function createServer({ backend, access, calls, schemas, bodyLimit, log }: ServerParts): FastifyInstance {
  const sendError = (reply: FastifyReply, error: ProxyError): FastifyReply =>
    reply.code(error.status).headers(errorHeaders(error)).send(errorBody(error))

  const app = fastify({
    bodyLimit,
    // The lease between the daemons decides how long a request may take.
    requestTimeout: 0,
    connectionTimeout: 0,
    return503OnClosing: false,
    // A missing Host is refused in this API's words (`access.ts`).
    http: { requireHostHeader: false },
    forceCloseConnections: true,
    genReqId: requestId,
    requestIdHeader: false,
    // Fastify's own factories load ajv and a serialiser while the daemon starts; ours wait for the first request.
    schemaController: {
      compilersFactory: {
        buildValidator: () => neverCompiled,
        buildSerializer: () => () => JSON.stringify,
      },
    },
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 4096 },
    clientErrorHandler: (error, socket) => answerUnparsed(error, socket, requestId()),
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id)
      sendError(reply, translateHttp(error, request.id, bodyLimit))
    },
  })
  app.server.on('checkExpectation', (_request, response) => {
    const error = ProxyError.EXPECTATION_FAILED()
    response.writeHead(error.status, { ...errorHeaders(error), 'x-request-id': requestId() }).end(errorBody(error))
  })

  app.setValidatorCompiler(({ schema }) => schemas.compile(schema as object))
  acceptBodies(app)

  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    const refusal = access.refuse(request.headers)
    if (refusal !== null) return done(refusal)
    if (request.headers.origin !== undefined) reply.headers(corsHeaders(request.headers.origin))
    if (request.method === 'OPTIONS') {
      reply.code(204).headers(preflightHeaders(request.headers)).send()
      return
    }
    if (!HEALTH.test(request.url) && !access.holdsKey(request.headers)) {
      return done(ProxyError.INVALID_KEY('This API asks for its key, as Authorization: Bearer or X-Api-Key.'))
    }
    done()
  })

  app.setErrorHandler((error, request, reply) => {
    const told = translateHttp(error, request.id, bodyLimit)
    if (told.status === 499) {
      reply.hijack()
      reply.raw.destroy()
      return reply
    }
    logFailure(log, request.id, told)
    return sendError(reply, told)
  })
  app.setNotFoundHandler((request, reply) => sendError(reply, unknownRoute(app, request)))

  const context = {
    app,
    backend,
    calls,
    paths: (path: string) => PREFIXES.map((prefix) => prefix + path),
    holdsKey: (headers: CallerHeaders) => access.holdsKey(headers),
    callerName: (headers: CallerHeaders) => access.callerName(headers),
  }
  for (const route of [healthRoute, modelsRoute, chatRoute, completionsRoute, embeddingsRoute]) route(context)
  return app
}

/** `setValidatorCompiler` takes this one's place before any route is there. */
function neverCompiled(): never {
  throw new TypeError('no schema is compiled by Fastify itself')
}

/** 405 where another method would have found the route, else 404. */
function unknownRoute(app: FastifyInstance, request: FastifyRequest): ProxyError {
  const path = request.url.replace(/\?.*$/s, '').slice(0, 200)
  const allowed = (['GET', 'POST'] as const).filter((method) => app.findRoute({ url: routeUrl(path), method }) !== null)
  if (allowed.length === 0) return ProxyError.UNKNOWN_URL(request.method, path)
  return ProxyError.METHOD_NOT_ALLOWED(request.method, path, allowed.join(', '))
}

/** The pattern under which a path is registered. */
function routeUrl(path: string): string {
  const bare = path.replace(/\/$/, '')
  return bare.replace(/^((?:\/v1)?\/models)\/.+$/, '$1/*')
}
