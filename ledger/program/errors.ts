/** Why the program cannot be built. Each is found before a file is written. */
export type BuildErrorCode =
  | 'BAD_OBJECT'
  | 'BAD_RELOCATION'
  | 'BAD_OPCODE'
  | 'BAD_STACK'
  | 'DUPLICATE_SYMBOL'
  | 'NO_COMPILER'
  | 'UNDEFINED_SYMBOL'
  | 'WRITABLE_DATA'

export class BuildError extends Error {
  readonly code: BuildErrorCode

  private constructor(code: BuildErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'BuildError'
    this.code = code
  }

  static BAD_OBJECT(name: string, reason: string): BuildError {
    return new BuildError('BAD_OBJECT', `${name}: ${reason}`)
  }

  static BAD_RELOCATION(where: string, reason: string): BuildError {
    return new BuildError('BAD_RELOCATION', `${where}: ${reason}`)
  }

  /** An instruction that the chain's machine does not have, or runs with another meaning than clang's. */
  static BAD_OPCODE(at: number, reason: string): BuildError {
    return new BuildError('BAD_OPCODE', `text+0x${at.toString(16)}: ${reason}`)
  }

  static BAD_STACK(at: number, offset: number): BuildError {
    return new BuildError('BAD_STACK', `text+0x${at.toString(16)}: ${offset} is outside the 4,096 bytes of a frame`)
  }

  static DUPLICATE_SYMBOL(name: string, first: string, second: string): BuildError {
    return new BuildError('DUPLICATE_SYMBOL', `${name} is defined in ${first} and in ${second}`)
  }

  static NO_COMPILER(command: string, cause: unknown): BuildError {
    return new BuildError('NO_COMPILER', `${command} does not run; on Debian: apt-get install clang-19`, cause)
  }

  static UNDEFINED_SYMBOL(where: string, name: string): BuildError {
    return new BuildError('UNDEFINED_SYMBOL', `${where}: ${name} is neither defined nor a system call`)
  }

  static WRITABLE_DATA(name: string, section: string): BuildError {
    return new BuildError(
      'WRITABLE_DATA',
      `${name}: ${section} is writable; a program has no variables outside functions`,
    )
  }
}
