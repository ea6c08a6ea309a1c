/**
 * Which idle sessions a consumer closes: all but the two last used of each model. Looking a model up connects to several
 * candidates; two of them stay warm, the others know us by gossip and can be dialled again.
 */
export const WARM = 2
export const IDLE_MS = 120_000

export interface Warmth {
  readonly key: string
  /** Hex roots of what the peer offers; none for peers met in the lobby. */
  readonly models: readonly string[]
  /** Unix milliseconds since when nothing is in flight; null = something is. */
  readonly idleSince: number | null
}

/** Keys of the sessions to close. Ties stay in the order given. */
export function surplus(sessions: readonly Warmth[], now: number): readonly string[] {
  const kept = new Set<string>()
  const models = new Set(sessions.flatMap(groups))
  for (const model of models) {
    const serving = sessions.filter((session) => groups(session).includes(model))
    const byUse = serving.sort((a, b) => (b.idleSince ?? Infinity) - (a.idleSince ?? Infinity) || 0)
    for (const { key } of byUse.slice(0, WARM)) kept.add(key)
  }
  return sessions
    .filter(({ key, idleSince }) => !kept.has(key) && idleSince !== null && now - idleSince >= IDLE_MS)
    .map(({ key }) => key)
}

/** A peer without offers belongs to the group of those. */
function groups({ models }: Warmth): readonly string[] {
  return models.length > 0 ? models : ['']
}
