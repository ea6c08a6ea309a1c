declare module 'fs-native-extensions' {
  /** Exclusive flock on an open file. false = another open file description holds it; throws other system errors. */
  export function tryLock(fd: number): boolean
}
