/** A DHT node that others start from: `swarmd bootstrap` for private swarms, and a whole small DHT for demonstrations. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4 } from 'node:net'
import HyperDHT from 'hyperdht'
import createTestnet from 'hyperdht/testnet.js'
import { SwarmError } from './errors.js'

export interface Bootstrap {
  /** What the other nodes are told with `--bootstrap`. */
  readonly address: { readonly host: string; readonly port: number }
  close(): Promise<void>
}

/**
 * `host`: the IPv4 address by which others reach this machine; the node binds all addresses, or loopback alone if that
 * is where others are. `port`: UDP, 0 = any free one. Throws `CANNOT_BIND`, e.g. when the port is taken.
 */
export async function startBootstrap(options: { readonly host: string; readonly port: number }): Promise<Bootstrap> {
  const { host } = options
  const local = host.startsWith('127.')
  try {
    if (!isIPv4(host) || host === '0.0.0.0') throw new Error('the host must be an IPv4 address that others reach')
    const port = await probe(local ? host : '0.0.0.0', options.port)
    const dht = HyperDHT.bootstrapper(port, host, local ? { host } : {})
    await dht.fullyBootstrapped()
    return { address: { host, port }, close: () => dht.destroy() }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw SwarmError.CANNOT_BIND(`No DHT node on ${host}:${options.port}: ${reason}`)
  }
}

/**
 * The port if it is free; 0 = one that is. Before the DHT node starts, because the node derives its id from its address,
 * and because one that fails to bind cannot be closed again.
 */
async function probe(host: string, wanted: number): Promise<number> {
  const socket = createSocket('udp4')
  socket.bind(wanted, host)
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => {
    socket.close(() => resolve())
  })
  return port
}

export interface LoopbackDht {
  readonly bootstrap: readonly { readonly host: string; readonly port: number }[]
  close(): Promise<void>
}

/** A private DHT of `size` nodes on 127.0.0.1, on free ports. */
export async function startLoopbackDht(size = 3): Promise<LoopbackDht> {
  const testnet = await createTestnet(size, { host: '127.0.0.1' })
  return { bootstrap: testnet.bootstrap, close: () => testnet.destroy() }
}
