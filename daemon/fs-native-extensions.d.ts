declare module 'fs-native-extensions' {
  /** flock, exclusive unless `shared`, on an open file. false = another open file description holds it; throws other system errors. */
  export function tryLock(fd: number, options?: { shared?: boolean }): boolean
}
