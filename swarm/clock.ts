/**
 * Whether this node's clock is right, by what its peers said in hello. Offers are dated: a node whose clock is off by
 * minutes sees none, and nobody sees its own, without any error. So somebody must say it.
 */
import type { PeerView } from './port.js'

/** One peer with a wrong clock proves nothing. */
const MIN_PEERS = 2

/** Milliseconds that the peers are ahead of this node, the median; null = too few to tell. */
export function clockSkew(peers: readonly Pick<PeerView, 'clockSkewMs'>[]): number | null {
  const skews = peers.map(({ clockSkewMs }) => clockSkewMs).filter((skew) => skew !== null)
  if (skews.length < MIN_PEERS) return null
  skews.sort((a, b) => a - b)
  const middle = Math.floor(skews.length / 2)
  // Of an even number the one that accuses less.
  const [low, high] = [skews[Math.ceil(skews.length / 2) - 1] ?? 0, skews[middle] ?? 0]
  return Math.abs(low) <= Math.abs(high) ? low : high
}
