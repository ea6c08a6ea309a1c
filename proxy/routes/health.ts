/** GET /health: for monitors, so it answers without the key; only callers with the key learn more than the status. */
import type { RouteContext } from './context.js'

export function healthRoute({ app, backend, paths, holdsKey }: RouteContext): void {
  for (const url of paths('/health')) {
    app.get(url, async (request, reply) => {
      const { status, peers, models, uptimeMs, version } = backend.health()
      reply.header('cache-control', 'no-store')
      if (!holdsKey(request.headers)) return reply.send({ status })
      return reply.send({ status, peers, models, uptime_ms: Math.round(uptimeMs), version, service: 'swarmd' })
    })
  }
}
