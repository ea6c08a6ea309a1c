/** `swarmd peers`: who is connected. */
import type { Command } from 'commander'
import type { PeerSummary } from '../../daemon/control/snapshot.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { runningSnapshot } from '../running.js'
import { renderTable } from '../table.js'
import type { Column } from '../table.js'
import { standingColumns } from '../standing.js'
import { bytes, duration } from '../words.js'

export function define(command: Command): void {
  command.addHelpText(
    'after',
    `
OFFERS is how many models the peer offers; ASKED is what this node asked of it,
ANSWERED what it asked of this node. --json prints an array with full keys and
counters.

Examples:
  swarmd peers
  swarmd peers --json`,
  )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json } = call
  const { peers, network } = await runningSnapshot(call)
  if (json) {
    io.json(peers)
    return EXIT.ok
  }
  if (peers.length === 0) {
    io.out(
      `No peer is connected (network ${network.name}: ${network.state}). Peers connect when there is something to ask.\n`,
    )
    return EXIT.ok
  }
  io.out(renderTable(columns(Date.now(), peers), peers, io.width, (line) => io.paint('bold', line)))
  return EXIT.ok
}

function columns(now: number, peers: readonly PeerSummary[]): readonly Column<PeerSummary>[] {
  return [
    { title: 'NODE KEY', shrinkTo: 17, cell: (peer) => peer.key },
    { title: 'ROLES', cell: (peer) => peer.roles.join(', ') },
    { title: 'SINCE', align: 'right', cell: (peer) => duration(now - peer.since) },
    { title: 'OFFERS', align: 'right', cell: (peer) => String(peer.offers) },
    { title: 'ASKED', align: 'right', cell: (peer) => String(peer.asksOut) },
    { title: 'ANSWERED', align: 'right', cell: (peer) => String(peer.asksIn) },
    { title: 'IN', align: 'right', cell: (peer) => bytes(peer.bytesIn) },
    { title: 'OUT', align: 'right', cell: (peer) => bytes(peer.bytesOut) },
    ...standingColumns(now, peers),
    { title: 'SOFTWARE', shrinkTo: 8, cell: (peer) => peer.software },
  ]
}
