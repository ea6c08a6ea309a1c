/** GET /v1/models and /v1/models/{id}; ids hold `:`, `@` and `/`, escaped or not. */
import { modelEntries, nearNames } from '../dialect/model-cards.js'
import { ProxyError } from '../errors.js'
import type { RouteContext } from './context.js'

export function modelsRoute({ app, backend, paths }: RouteContext): void {
  for (const url of paths('/models')) {
    app.get(url, async (_request, reply) => reply.send({ object: 'list', data: modelEntries(backend.models()) }))
    app.get<{ Params: { '*': string } }>(`${url}/*`, async (request, reply) => {
      const id = request.params['*']
      const entries = modelEntries(backend.models())
      const found = entries.find((entry) => entry.id === id || (entry.alias_of === null && entry.root === id))
      if (found !== undefined) return reply.send(found)
      const near = nearNames(id, entries)
      const hint = near.length === 0 ? '' : ` Near names: ${near.join(', ')}.`
      throw ProxyError.MODEL_NOT_FOUND(`No model ${JSON.stringify(id.slice(0, 200))} can be reached.${hint}`)
    })
  }
}
