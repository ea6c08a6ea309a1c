/**
 * Failures of the daemon itself. Callers match `code`; a code is never reused or re-meant. Messages say what happened and
 * what to do.
 */
export type DaemonErrorCode =
  | 'CONFIG_INVALID' // a flag, an environment variable or a config key: names it, what was given, what is allowed
  | 'CONFIG_UNREADABLE'
  | 'DATA_UNUSABLE' // the data folder cannot be created, read or written
  | 'DATA_LOCKED' // another daemon uses the data folder; says which
  | 'IDENTITY_UNSAFE' // the seed file is malformed or readable by others
  | 'IDENTITY_EXISTS' // a seed lies where one should be written
  | 'IDENTITY_MISSING' // a data folder without a seed
  | 'IDENTITY_SEALED' // the seed is under a passphrase already
  | 'IDENTITY_OPEN' // the seed is under no passphrase
  | 'PASSPHRASE_NEEDED' // the seed is sealed and nobody gave its passphrase
  | 'PASSPHRASE_WRONG'
  | 'CANCELLED' // a person left a question unanswered
  | 'NOT_RUNNING' // no daemon answers on the control socket of the data folder
  | 'CHAT_FAILED' // the local API refused or ended a question of `swarmd chat`; its own words
  | 'CONTROL_FAILED' // the control socket answered with an error or not in its protocol

export class DaemonError extends Error {
  readonly code: DaemonErrorCode

  private constructor(code: DaemonErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DaemonError'
    this.code = code
  }

  static CONFIG_INVALID(message: string): DaemonError {
    return new DaemonError('CONFIG_INVALID', message)
  }

  static CONFIG_UNREADABLE(message: string, cause?: unknown): DaemonError {
    return new DaemonError('CONFIG_UNREADABLE', message, { cause })
  }

  static DATA_UNUSABLE(message: string, cause?: unknown): DaemonError {
    return new DaemonError('DATA_UNUSABLE', message, { cause })
  }

  static DATA_LOCKED(message: string): DaemonError {
    return new DaemonError('DATA_LOCKED', message)
  }

  static IDENTITY_UNSAFE(message: string): DaemonError {
    return new DaemonError('IDENTITY_UNSAFE', message)
  }

  static IDENTITY_EXISTS(dataDir: string): DaemonError {
    return new DaemonError(
      'IDENTITY_EXISTS',
      `The data folder ${dataDir} has an identity already, and none is ever overwritten. Give another folder with --data DIR, or move its seed away.`,
    )
  }

  static IDENTITY_MISSING(dataDir: string): DaemonError {
    return new DaemonError(
      'IDENTITY_MISSING',
      `The data folder ${dataDir} has no identity yet: the first "swarmd up" makes one, "swarmd keys restore" brings one back.`,
    )
  }

  static IDENTITY_SEALED(dataDir: string): DaemonError {
    return new DaemonError('IDENTITY_SEALED', `The seed in ${dataDir} is under a passphrase already.`)
  }

  static IDENTITY_OPEN(dataDir: string): DaemonError {
    return new DaemonError('IDENTITY_OPEN', `The seed in ${dataDir} is under no passphrase.`)
  }

  static PASSPHRASE_NEEDED(): DaemonError {
    return new DaemonError(
      'PASSPHRASE_NEEDED',
      'The seed of this data folder is sealed. Start in a terminal and type its passphrase, or name a file that holds it with SWARMD_PASSPHRASE_FILE (/dev/fd/3 for a file descriptor).',
    )
  }

  static PASSPHRASE_WRONG(): DaemonError {
    return new DaemonError('PASSPHRASE_WRONG', 'This is not the passphrase of the sealed seed.')
  }

  static CANCELLED(): DaemonError {
    return new DaemonError('CANCELLED', 'Cancelled: nothing was done.')
  }

  static NOT_RUNNING(message: string): DaemonError {
    return new DaemonError('NOT_RUNNING', message)
  }

  static CHAT_FAILED(message: string): DaemonError {
    return new DaemonError('CHAT_FAILED', message)
  }

  static CONTROL_FAILED(message: string, cause?: unknown): DaemonError {
    return new DaemonError('CONTROL_FAILED', message, { cause })
  }
}

/** The code of any folder's error; null for errors that carry none. */
export function codeOf(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error)) return null
  return typeof error.code === 'string' ? error.code : null
}
