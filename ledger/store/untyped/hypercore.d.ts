/** What we call of hypercore 11.37, which ships no types. Lengths count blocks. */
declare module 'hypercore' {
  class Hypercore {
    readonly key: Uint8Array
    readonly discoveryKey: Uint8Array
    readonly length: number
    readonly byteLength: number
    readonly writable: boolean
    ready(): Promise<void>
    close(): Promise<void>
    /** Returns the new length. One write to the RocksDB log, without fsync. */
    append(blocks: readonly Uint8Array[]): Promise<{ length: number; byteLength: number }>
    /** With `wait: false`, null for a block that is not here; else it waits for a peer, at most `timeout` ms. */
    get(index: number, options?: { wait?: boolean; timeout?: number }): Promise<Uint8Array | null>
    has(start: number, end?: number): Promise<boolean>
    /**
     * Forgets blocks; their hashes stay. `start` must be even: for an odd one, 11.37.1 also deletes tree nodes that its
     * left neighbours need, and no peer can fetch those any more.
     */
    clear(start: number, end?: number): Promise<void>
    truncate(length: number): Promise<void>
    treeHash(length?: number): Promise<Uint8Array>
    /** [block, offset in it] of a byte. */
    seek(byteOffset: number): Promise<[number, number]>
    /** Asks peers for the newest length; a writable core only with `force`. */
    update(options?: { wait?: boolean; force?: boolean }): Promise<boolean>
    download(range: { start?: number; end?: number; linear?: boolean; blocks?: readonly number[] }): {
      done(): Promise<void>
      destroy(): void
    }
    /** `download`: a block came from a peer. */
    on(event: 'download', listener: () => void): this
    off(event: 'download', listener: () => void): this
    /** Ends the waiting of `update` when the function that it returns is called. */
    findingPeers(): () => void
    /** One stored node of the Merkle tree, by flat-tree index. */
    proof(request: { hash: { index: number; nodes: 0 } }): Promise<{
      hash: { nodes: readonly { index: number; size: number; hash: Uint8Array }[] } | null
    }>
    /** Rewrites the storage of this core without what was cleared. */
    compact(): Promise<void>
    /** Either which side opened the connection, or a stream that another core replicates over already. */
    replicate(on: boolean | NodeJS.ReadWriteStream): NodeJS.ReadWriteStream & { destroy(): void }
  }
  export default Hypercore
}

declare module 'corestore' {
  import type Hypercore from 'hypercore'
  class Corestore {
    /**
     * `allowBackup`: a folder that was copied, which is refused otherwise (the device file in it knows its place). Without a
     * primary key it is the one that the folder was made with.
     */
    constructor(folder: string, options: { primaryKey: Uint8Array; unsafe: true } | { allowBackup: true })
    ready(): Promise<void>
    close(): Promise<void>
    /** `db` is the column family in which everything lies; `flush` moves its memory into tables. */
    readonly storage: { readonly db: { flush(): Promise<void> } }
    get(core: { name: string } | { key: Uint8Array }): Hypercore
  }
  export default Corestore
}

declare module 'hyperbee' {
  import type Hypercore from 'hypercore'
  interface Range {
    gt?: Uint8Array
    gte?: Uint8Array
    lt?: Uint8Array
    lte?: Uint8Array
  }
  interface Node {
    readonly key: Uint8Array
    readonly value: Uint8Array
  }
  interface Batch {
    put(key: Uint8Array, value: Uint8Array): Promise<void>
    del(key: Uint8Array): Promise<void>
    flush(): Promise<void>
  }
  class Hyperbee {
    constructor(core: Hypercore, options: { keyEncoding: 'binary'; valueEncoding: 'binary'; extension: false })
    readonly core: Hypercore
    ready(): Promise<void>
    close(): Promise<void>
    get(key: Uint8Array): Promise<Node | null>
    put(key: Uint8Array, value: Uint8Array): Promise<void>
    del(key: Uint8Array): Promise<void>
    batch(): Batch
    createReadStream(range?: Range, options?: { reverse?: boolean; limit?: number }): AsyncIterable<Node>
  }
  export default Hyperbee
}

declare module 'hypercore-crypto' {
  interface TreeNode {
    readonly index: number
    readonly size: number
    readonly hash: Uint8Array
  }
  const crypto: {
    /** Hash of a block: a leaf. */
    data(block: Uint8Array): Uint8Array
    parent(left: TreeNode, right: TreeNode): Uint8Array
    tree(roots: readonly TreeNode[]): Uint8Array
  }
  export default crypto
}
