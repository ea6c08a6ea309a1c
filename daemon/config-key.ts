/** What one setting is: its names, what it may be, and what it is when nobody says. */
import type { Kind } from './config-kinds.js'

export interface Key<T, F> {
  /** Dotted place in the TOML file. */
  readonly file: string
  /** Commander's notation; null = not on the command line (secrets would show in the process list). */
  readonly flag: string | null
  /** The flag may be given several times. */
  readonly repeat?: boolean
  readonly env: string
  readonly kind: Kind<T>
  readonly fallback: F
  readonly about: string
  /** A TOML value for the template. */
  readonly example: string
  /** Never printed. */
  readonly secret?: boolean
  /** Relative to the config file's folder, or to the working folder when it comes from a flag or the environment. */
  readonly path?: boolean
}

/** Keeps the exact type of the default. */
export function key<T, const F>(spec: Key<T, F>): Key<T, F> {
  return spec
}
