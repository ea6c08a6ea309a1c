/** Headers for pages whose origin may use the API (`access.ts` has decided that). */
import type { IncomingHttpHeaders } from 'node:http'

const EXPOSED =
  'x-request-id, x-should-retry, retry-after, retry-after-ms, x-swarmd-provider, x-swarmd-transaction, ' +
  'x-swarmd-cost-lamports, x-swarmd-ttft-ms, x-swarmd-overhead-ms'
const ONE_HOUR = '3600'

export function corsHeaders(origin: string): Record<string, string> {
  return { 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED, vary: 'origin' }
}

export function preflightHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  return {
    'access-control-allow-methods': 'GET, POST, OPTIONS',
    // SDKs add headers of their own (x-stainless-…): what is asked for is allowed, the origin was the question.
    'access-control-allow-headers':
      headers['access-control-request-headers'] ?? 'authorization, content-type, x-api-key',
    'access-control-max-age': ONE_HOUR,
    ...(headers['access-control-request-private-network'] === 'true'
      ? { 'access-control-allow-private-network': 'true' }
      : {}),
  }
}
