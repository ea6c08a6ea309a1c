/** What every route is given. */
import type { FastifyInstance } from 'fastify'
import type { CallerHeaders } from '../access.js'
import type { Calls } from '../call.js'
import type { Backend } from '../port.js'

export interface RouteContext {
  readonly app: FastifyInstance
  readonly backend: Backend
  readonly calls: Calls
  /** The addresses of one route (`/chat/completions`): with and without `/v1`. */
  readonly paths: (path: string) => readonly string[]
  /** True for callers who hold the key, or when none is needed. */
  readonly holdsKey: (headers: CallerHeaders) => boolean
  /** The name of the API key that a caller sent; null = the owner's own, or none. */
  readonly callerName: (headers: CallerHeaders) => string | null
}
