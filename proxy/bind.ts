/** Why the API could not listen, and what to do about it. */
import { get } from 'node:http'
import { ProxyError } from './errors.js'

const PROBE_MS = 500
const CHANGE = 'Choose another with --port N, SWARMD_PORT or `port` in the configuration; 0 takes any free one.'

export async function listenError(error: unknown, host: string, port: number): Promise<unknown> {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null
  if (code === 'EADDRINUSE') {
    const owner = (await isSwarmd(host, port))
      ? `another swarmd answers there (\`swarmd status\` asks it, \`swarmd stop\` ends it)`
      : `\`ss -ltnp sport = :${port}\` (macOS: \`lsof -i :${port}\`) shows the program that has it`
    return ProxyError.ADDRESS_UNUSABLE(code, `Port ${port} on ${host} is taken: ${owner}. ${CHANGE}`)
  }
  if (code === 'EACCES') {
    return ProxyError.ADDRESS_UNUSABLE(code, `Port ${port} needs rights that this user has not. ${CHANGE}`)
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return ProxyError.ADDRESS_UNUSABLE(
      code,
      `${host} is no address of this machine. Use 127.0.0.1, or one that \`ip addr\` lists.`,
    )
  }
  return error
}

/** True when whatever has the port answers as a swarmd does. */
function isSwarmd(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const target = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
    const request = get({ host: target, port, path: '/health', timeout: PROBE_MS, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
        if (body.length > 4096) request.destroy()
      })
      response.on('end', () => resolve(body.includes('"service":"swarmd"')))
      response.on('error', () => resolve(false))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
    request.on('close', () => resolve(false))
  })
}
