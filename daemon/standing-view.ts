/** What a chain knows of a provider, for the control socket; nothing at all where no chain is used. */
import type { ChainStanding } from '../proxy/port.js'
import type { StandingView } from './control/snapshot.js'

/** Of a node key in hex; null = no chain. */
export type Standings = { standing(node: string): ChainStanding | null } | null

/** To be spread into a view: free swarms have no such field. */
export function standingField(standings: Standings, node: string): { readonly standing?: StandingView | null } {
  if (!standings) return {}
  const known = standings.standing(node)
  if (!known) return { standing: null }
  const { registeredAt, settled, settlements, channelsOpened, channelsClosed, ordersClaimed, ordersRefunded } = known
  return {
    standing: {
      registeredAt,
      settled: String(settled),
      settlements: String(settlements),
      channelsOpened: String(channelsOpened),
      channelsClosed: String(channelsClosed),
      ordersClaimed: String(ordersClaimed),
      ordersRefunded: String(ordersRefunded),
    },
  }
}
