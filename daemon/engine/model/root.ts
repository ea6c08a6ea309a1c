/**
 * The identity of a model: the Merkle root of its file over 64 KiB blocks, with Hypercore's own tree (flat-tree indices,
 * hypercore-crypto's leaf, parent and root hashes), so that the file can later be served and proved as a Hypercore.
 * The parts of a split GGUF count as one file, in order.
 */
import { open } from 'node:fs/promises'
import crypto from 'hypercore-crypto'

export const BLOCK_BYTES = 64 * 1024

/** Hashing 16 blocks takes about 2 ms: the event loop gets its turn after each such piece. */
const PIECE_BLOCKS = 16

interface TreeNode {
  readonly index: number
  readonly size: number
  readonly hash: Uint8Array
}

/** Merkle root over blocks that are pushed in order. Holds one node per level, never the whole tree. */
export class RootHasher {
  readonly #roots: TreeNode[] = []
  #blocks = 0

  push(block: Uint8Array): void {
    let node: TreeNode = { index: 2 * this.#blocks, size: block.length, hash: crypto.data(block) }
    // As many subtrees are complete now as the block's number ends in ones.
    for (let carry = this.#blocks; (carry & 1) === 1; carry = (carry - 1) / 2) {
      const left = this.#roots.pop()
      if (left === undefined) break
      const index = (left.index + node.index) / 2
      node = { index, size: left.size + node.size, hash: crypto.parent(left, node) }
    }
    this.#roots.push(node)
    this.#blocks++
  }

  digest(): Uint8Array {
    return crypto.tree(this.#roots)
  }
}

export interface HashOptions {
  readonly onProgress?: ((done: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** `paths`: the parts in order. Progress counts bytes over all parts. */
export async function hashModel(paths: readonly string[], options: HashOptions = {}): Promise<Uint8Array> {
  const hasher = new RootHasher()
  const piece = Buffer.allocUnsafe(BLOCK_BYTES * PIECE_BLOCKS)
  let filled = 0
  let done = 0
  const flush = (bytes: number): void => {
    for (let at = 0; at < bytes; at += BLOCK_BYTES) hasher.push(piece.subarray(at, Math.min(at + BLOCK_BYTES, bytes)))
  }
  for (const path of paths) {
    const file = await open(path, 'r')
    try {
      for (;;) {
        options.signal?.throwIfAborted()
        const { bytesRead } = await file.read(piece, filled, piece.length - filled, null)
        if (bytesRead === 0) break
        filled += bytesRead
        done += bytesRead
        if (filled < piece.length) continue
        flush(filled)
        filled = 0
        options.onProgress?.(done)
      }
    } finally {
      await file.close()
    }
  }
  flush(filled)
  options.onProgress?.(done)
  return hasher.digest()
}
