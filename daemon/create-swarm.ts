/** The node's place in the swarm, with the keys of its role: its own when it serves, fresh ones when it only asks. */
import { SwarmNode } from '../swarm/node.js'
import type { IncomingAsk, Swarm } from '../swarm/port.js'
import { freshNodeKeyPair, networkId, openIdentity } from './identity.js'
import type { NodeOptions, SwarmSettings } from './node-options.js'

/** Opens (or makes) the identity when there is something to serve: throws as `openIdentity` does. Joins nothing yet. */
export function createSwarm(settings: SwarmSettings, options: NodeOptions, onAsk: (ask: IncomingAsk) => void): Swarm {
  const identity = options.models.length > 0 ? openIdentity(options.dataDir) : null
  return new SwarmNode({
    keyPair: identity?.node() ?? freshNodeKeyPair(),
    boxKeyPair: identity?.box() ?? null,
    bootstrap: settings.bootstrap,
    host: settings.host ?? loopbackHost(settings.bootstrap),
    network: networkId(settings.network),
    invite: settings.invite,
    allow: settings.allow,
    software: `swarmd/${options.version}`,
    onAsk: identity ? onAsk : null,
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
