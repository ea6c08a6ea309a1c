/** POST /v1/embeddings. */
import { embeddingBody } from '../dialect/embedding-writer.js'
import { inputList } from '../dialect/prompts.js'
import { receiptHeaders, swarmdFields } from '../dialect/receipts.js'
import { routingFrom } from '../dialect/routing.js'
import { ProxyError } from '../errors.js'
import { EMBEDDING_BODY } from '../schema/embedding.js'
import type { EmbeddingBody } from '../schema/embedding.js'
import type { RouteContext } from './context.js'

/** OpenAI's own limit. */
const MAX_INPUTS = 2048

export function embeddingsRoute({ app, backend, calls, paths, callerName }: RouteContext): void {
  for (const url of paths('/embeddings')) {
    app.post<{ Body: EmbeddingBody }>(url, { schema: { body: EMBEDDING_BODY } }, async (request, reply) => {
      const body = request.body
      const inputs = inputList('input', body.input, MAX_INPUTS)
      const routing = routingFrom(body.provider ?? null, request.headers)
      const call = calls.open(request, reply, 'input')
      const result = await call.guard(
        backend.embed({ model: body.model, inputs, routing, caller: callerName(request.headers) }, call.signal),
      )
      if (result.vectors.length !== inputs.length) throw ProxyError.CUT_SHORT()
      const swarmd = swarmdFields([result.receipt], [])
      const options = { base64: body.encoding_format === 'base64', dimensions: body.dimensions ?? null }
      const answer = embeddingBody(result, options, swarmd)
      reply.headers(receiptHeaders(swarmd))
      return reply.send(answer)
    })
  }
}
