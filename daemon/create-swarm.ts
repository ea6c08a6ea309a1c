/** The node's place in the swarm, with the keys of its role: its own when it serves, fresh ones when it only asks. */
import { SwarmNode } from '../swarm/node.js'
import type { IncomingAsk, PeerStream, Swarm } from '../swarm/port.js'
import type { SharedPeers } from './history/shared-peers.js'
import type { NodeOptions, SwarmSettings } from './node-options.js'
import type { Payments } from './payment/open.js'
import { openShared, sharedSource } from './payment/shared-log.js'
import { Turns } from '../ledger/store/turns.js'

/** Joins nothing yet. */
export function createSwarm(
  settings: SwarmSettings,
  options: NodeOptions,
  payments: Payments,
  onAsk: (ask: IncomingAsk) => void,
  sharing: SharedPeers,
): Swarm {
  const { identity, keys, till } = payments
  const serves = options.models.length > 0
  // A node with fresh keys shows nobody what it signed with earlier ones.
  const source = sharedSource(payments.books, serves ? null : Date.now())
  const turns = new Turns()
  /**
   * Answers what a peer may have of this log: the transactions in which it is named. In the same turn as hello, so that both
   * ends of the channel are there when its first message comes.
   */
  const share = ({ key, stream }: PeerStream): void => {
    const channel = openShared(stream, { source, own: keys.publicKey, peer: key, turns })
    if (channel) sharing.add({ key: Buffer.from(key).toString('hex'), channel })
  }
  return new SwarmNode({
    keyPair: keys,
    boxKeyPair: serves ? identity.box() : null,
    bootstrap: settings.bootstrap,
    host: settings.host ?? loopbackHost(settings.bootstrap),
    network: payments.network,
    invite: settings.invite,
    allow: settings.allow,
    software: `swarmd/${options.version}`,
    onAsk: serves ? onAsk : null,
    onPeer: (peer) => share(peer),
    onVoucher: serves ? (_peer, voucher) => till.accept(voucher) : null,
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
