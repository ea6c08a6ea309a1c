/** The node's place in the swarm, with the keys of its role: its own when it serves, fresh ones when it only asks. */
import { SwarmNode } from '../swarm/node.js'
import type { IncomingAsk, Swarm } from '../swarm/port.js'
import { networkId } from './identity.js'
import type { NodeOptions, SwarmSettings } from './node-options.js'
import type { Payments } from './payment/open.js'

/** Joins nothing yet. */
export function createSwarm(
  settings: SwarmSettings,
  options: NodeOptions,
  { identity, keys, till }: Payments,
  onAsk: (ask: IncomingAsk) => void,
): Swarm {
  const serves = options.models.length > 0
  return new SwarmNode({
    keyPair: keys,
    boxKeyPair: serves ? identity.box() : null,
    bootstrap: settings.bootstrap,
    host: settings.host ?? loopbackHost(settings.bootstrap),
    network: networkId(settings.network),
    invite: settings.invite,
    allow: settings.allow,
    software: `swarmd/${options.version}`,
    onAsk: serves ? onAsk : null,
    onVoucher: serves ? (peer, voucher) => till.accept(voucher, peer) : null,
  })
}

/** On a loopback swarm the address of the network card is not reachable: bind where the bootstrap nodes are. */
function loopbackHost(bootstrap: readonly { readonly host: string }[] | null): string | null {
  const all =
    bootstrap !== null &&
    bootstrap.length > 0 &&
    bootstrap.every(({ host }) => host === 'localhost' || host.startsWith('127.'))
  return all ? '127.0.0.1' : null
}
