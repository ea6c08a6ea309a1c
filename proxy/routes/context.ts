/** What every route is given. */
import type { FastifyInstance } from 'fastify'
import type { Calls } from '../call.js'
import type { Backend } from '../port.js'

export interface RouteContext {
  readonly app: FastifyInstance
  readonly backend: Backend
  readonly calls: Calls
  /** The addresses of one route (`/chat/completions`): with and without `/v1`. */
  readonly paths: (path: string) => readonly string[]
  /** True for callers who hold the key, or when none is needed. */
  readonly holdsKey: (headers: Readonly<Record<string, string | string[] | undefined>>) => boolean
}
