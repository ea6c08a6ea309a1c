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
 * DHT nodes beside the first one. A node finds out what NAT it is behind by asking several others how they see it; with a single
 * one to ask, two homes with real addresses never agree on how to reach each other.
 */
const COMPANIONS = 4

/**
 * `host`: the IPv4 address by which others reach this machine; the nodes bind all addresses, or loopback alone if that
 * is where others are. `port`: UDP, 0 = any free one; the next four are used too, where they are free. Throws
 * `CANNOT_BIND`, e.g. when the port is taken.
 */
export async function startBootstrap(options: { readonly host: string; readonly port: number }): Promise<Bootstrap> {
  const { host } = options
  const local = host.startsWith('127.') ? { host } : {}
  try {
    if (!isIPv4(host) || host === '0.0.0.0') throw new Error('the host must be an IPv4 address that others reach')
    const port = await probe(local.host ?? '0.0.0.0', options.port)
    const first = HyperDHT.bootstrapper(port, host, local)
    await first.fullyBootstrapped()
    const common = { bootstrap: [{ host, port }], ephemeral: false, firewalled: false, ...local }
    const companions = Array.from({ length: COMPANIONS }, (_, i) => new HyperDHT({ ...common, port: port + 1 + i }))
    await Promise.all(companions.map((node) => node.fullyBootstrapped()))
    const close = async (): Promise<void> => {
      await Promise.all([first, ...companions].map((node) => node.destroy()))
    }
    return { address: { host, port }, close }
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
