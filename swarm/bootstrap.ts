/** A DHT node that others start from: `swarmd bootstrap` for private swarms, and a whole small DHT for demonstrations. */
import HyperDHT from 'hyperdht'
import createTestnet from 'hyperdht/testnet.js'
import { SwarmError } from './errors.js'

export interface Bootstrap {
  /** What the other nodes are told with `--bootstrap`. */
  readonly address: { readonly host: string; readonly port: number }
  close(): Promise<void>
}

/** `host`: the IPv4 address by which others reach this machine. Throws `CANNOT_BIND` when the port is taken. */
export async function startBootstrap(options: { readonly host: string; readonly port: number }): Promise<Bootstrap> {
  const { host, port } = options
  const bind = host === '127.0.0.1' ? { host } : {}
  let dht: HyperDHT
  try {
    dht = HyperDHT.bootstrapper(port, host, bind)
    await dht.fullyBootstrapped()
  } catch (error) {
    throw SwarmError.CANNOT_BIND(
      `No DHT node on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  return { address: { host, port: dht.address()?.port ?? port }, close: () => dht.destroy() }
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
