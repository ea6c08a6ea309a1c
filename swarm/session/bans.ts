/** Strikes and bans by node key: pure updates of a bounded value. Three strikes within an hour ban for an hour. */
export const STRIKES = 3
export const STRIKE_MS = 3_600_000
export const BAN_MS = 3_600_000
/** A new key is free, so the list of bad ones is a convenience, not a fortress; the oldest is forgotten first. */
export const MAX_RECORDS = 4096

export interface Conduct {
  readonly strikes: number
  /** Unix milliseconds of the last strike. */
  readonly last: number
  /** Unix milliseconds; 0 = not banned. */
  readonly bannedUntil: number
}

export type Bans = ReadonlyMap<string, Conduct>

export function strike(bans: Bans, key: string, now: number): Bans {
  const before = bans.get(key)
  const strikes = before && now - before.last < STRIKE_MS ? before.strikes + 1 : 1
  const next = new Map(bans)
  next.delete(key)
  next.set(key, { strikes, last: now, bannedUntil: strikes >= STRIKES ? now + BAN_MS : 0 })
  if (next.size > MAX_RECORDS) {
    const [oldest] = next.keys()
    if (oldest !== undefined) next.delete(oldest)
  }
  return next
}

export function isBanned(bans: Bans, key: string, now: number): boolean {
  const conduct = bans.get(key)
  return conduct !== undefined && now < conduct.bannedUntil
}

export function strikesOf(bans: Bans, key: string, now: number): number {
  const conduct = bans.get(key)
  return conduct && now - conduct.last < STRIKE_MS ? conduct.strikes : 0
}
