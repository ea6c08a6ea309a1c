/**
 * Whether this node's clock is right, by what its peers said in hello. Offers are dated: a node whose clock is off by
 * minutes sees none, and nobody sees its own, without any error. So somebody must say it.
 */
import type { PeerView } from './port.js'

/** One peer with a wrong clock proves nothing. */
const MIN_PEERS = 2

/** Offers may be dated two minutes ahead; half of that is worth a word. */
const WORTH_SAYING_MS = 60_000

/** A sentence for a person; null = the clock is well, or too few peers to tell. */
export function clockWarning(peers: readonly Pick<PeerView, 'clockSkewMs'>[]): string | null {
  const skew = clockSkew(peers)
  if (skew === null || Math.abs(skew) < WORTH_SAYING_MS) return null
  const minutes = Math.round(Math.abs(skew) / 60_000)
  const off = `${minutes} minute${minutes === 1 ? '' : 's'} ${skew > 0 ? 'slow' : 'fast'}`
  return `This machine's clock is ${off}, going by its peers: offers are dated, so peers and this node may not see each other's.`
}

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
