/** What we call of hypercore-crypto 3.7, which ships no types. */
declare module 'hypercore-crypto' {
  interface Node {
    readonly index: number
    readonly size: number
    readonly hash: Uint8Array
  }
  const crypto: {
    data(data: Uint8Array): Uint8Array
    parent(a: Node, b: Node): Uint8Array
    tree(roots: readonly Node[]): Uint8Array
  }
  export default crypto
}
