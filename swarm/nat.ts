/** What the DHT says about this node's place in the network, for people. */
import type HyperDHT from 'hyperdht'
import type { NatView } from './port.js'

export function natView(dht: HyperDHT): NatView {
  const reachable = dht.nodes.length > 0
  const { host, port } = dht
  const kind = host === null ? 'unknown' : dht.randomized ? 'random' : dht.firewalled ? 'consistent' : 'open'
  return { reachable, nodes: dht.nodes.length, host, port: host === null || port === 0 ? null : port, kind }
}
