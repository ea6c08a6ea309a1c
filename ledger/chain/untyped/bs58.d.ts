/** What we call of bs58 4.0 (the one web3.js uses), which ships no types. */
declare module 'bs58' {
  const bs58: {
    encode(bytes: Uint8Array): string
    /** undefined for characters outside the alphabet. */
    decodeUnsafe(text: string): Uint8Array | undefined
  }
  export default bs58
}
