/** What the process says to a script when it ends. Documented in docs/cli.md; a number is never re-meant. */
export const EXIT = {
  ok: 0,
  /** Something failed that has no number of its own; `doctor` found a failure. */
  failure: 1,
  /** A flag, an argument, an environment variable or a config value is wrong. */
  usage: 2,
  /** No daemon runs on the data folder. */
  notRunning: 3,
  /** Another daemon uses the data folder. */
  locked: 4,
  /** A model that was asked for cannot be served. */
  model: 5,
  /** The API's address (or the bootstrap node's) cannot be listened on. */
  port: 6,
  /** The seed is sealed, and its passphrase was not given or is wrong. */
  passphrase: 7,
  /** A second Ctrl-C ended it at once. */
  interrupted: 130,
} as const

const BY_CODE: Readonly<Record<string, number>> = {
  CONFIG_INVALID: EXIT.usage,
  CONFIG_UNREADABLE: EXIT.usage,
  NOT_RUNNING: EXIT.notRunning,
  DATA_LOCKED: EXIT.locked,
  PASSPHRASE_NEEDED: EXIT.passphrase,
  PASSPHRASE_WRONG: EXIT.passphrase,
  CANCELLED: EXIT.interrupted,
  INTERRUPTED: EXIT.interrupted,
  HISTORY_BAD_REQUEST: EXIT.usage,
  DESK_BAD_REQUEST: EXIT.usage,
  ADDRESS_REFUSED: EXIT.usage,
  EADDRINUSE: EXIT.port,
  EADDRNOTAVAIL: EXIT.port,
  EACCES: EXIT.port,
  ENOTFOUND: EXIT.port,
  EAI_AGAIN: EXIT.port,
  CANNOT_BIND: EXIT.port,
}

export function exitCodeOf(code: string | null): number {
  return (code === null ? undefined : BY_CODE[code]) ?? EXIT.failure
}
