/**
 * Checks a whole log against itself: every signature and statement, every body that is kept, the provider's chain of
 * receipts, the Merkle tree computed again from the blocks, the signed checkpoints, and the index against a rebuilt one.
 */
import b4a from 'b4a'
import type Hypercore from 'hypercore'
import crypto from 'hypercore-crypto'
import type { SignedCheckpoint } from '../checkpoint.js'
import { verifyCheckpoint } from '../checkpoint.js'
import { LedgerError } from '../errors.js'
import { verifyExport } from '../proof.js'
import { receiptHash } from '../transaction.js'
import type { Entry } from './entry.js'

/** Faults listed; more are only counted. */
const MAX_LISTED = 100

const TELL_EVERY = 256
/** Blocks read at once: storage answers many in the time of a few. */
const AHEAD = 64
/** In sixths: where each look begins, and how much it takes. */
const SHARE = { said: [0, 3], tree: [3, 1], index: [4, 2] } as const

export interface Fault {
  /** null: the log as a whole. */
  readonly position: number | null
  readonly what: 'block' | 'signature' | 'statement' | 'body' | 'chain' | 'tree' | 'checkpoint' | 'index'
  readonly detail: string
}

export interface Report {
  readonly transactions: number
  readonly forgotten: number
  readonly bodies: { readonly kept: number; readonly gone: number }
  readonly checkpoints: number
  readonly faults: readonly Fault[]
  readonly faultCount: number
}

/** What is audited. `read` and `body` throw `LedgerError`s for what is damaged. */
export interface Audited {
  readonly log: Hypercore
  readonly transactions: number
  readonly forgotten: number
  read(position: number): Promise<Entry>
  body(entry: Entry): Promise<Uint8Array | null>
  readonly checkpoints: readonly SignedCheckpoint[]
  /** Signer of the checkpoints. */
  readonly signer: Uint8Array
  /** Called with how many transactions are checked. */
  onProgress?(done: number, total: number): void
  /** Ends the audit between two transactions, with its reason. */
  readonly signal?: AbortSignal | undefined
  /** Does the index hold what the log puts into it? `onDone`: transactions that were looked at. */
  indexHolds(onDone: (done: number) => void): Promise<boolean>
}

export async function audit(audited: Audited): Promise<Report> {
  const faults = new Faults()
  const chain = new ReceiptChains()
  const bodies = { kept: 0, gone: 0 }
  const total = audited.transactions
  for (let position = 0; position < total; position++) {
    audited.signal?.throwIfAborted()
    if (position % TELL_EVERY === 0) audited.onProgress?.(looked('said', position, total), total)
    const entry = await attempt(audited.read(position), (detail) => faults.add({ position, what: 'block', detail }))
    if (!entry) continue
    checkEntry(entry, position, faults)
    const broken = chain.add(entry)
    if (broken !== null) faults.add({ position, what: 'chain', detail: broken })
    const body = await attempt(audited.body(entry), (detail) => faults.add({ position, what: 'body', detail }))
    if (body) bodies.kept++
    else if (entry.body) bodies.gone++
  }
  await checkTree(audited, faults)
  const tell = (done: number): void => audited.onProgress?.(looked('index', done, total), total)
  if (!(await audited.indexHolds(tell)))
    faults.add({ position: null, what: 'index', detail: 'it is not what the log says' })
  return {
    transactions: audited.transactions,
    forgotten: audited.forgotten,
    bodies,
    checkpoints: audited.checkpoints.length,
    faults: faults.listed,
    faultCount: faults.count,
  }
}

/** null after a `LedgerError`, whose message `tell` gets. */
async function attempt<T>(work: Promise<T>, tell: (detail: string) => void): Promise<T | null> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error
    tell(error.message)
    return null
  }
}

function checkEntry({ transaction }: Entry, position: number, faults: Faults): void {
  const { checks, holds } = verifyExport({ transaction, disclosure: null, windows: [] })
  for (const { name, result, detail } of checks) {
    const what = name === 'statement' ? 'statement' : 'signature'
    if (result === 'bad') faults.add({ position, what, detail: `${name}: ${detail}` })
  }
  if (!holds && checks.every(({ result }) => result !== 'bad')) {
    faults.add({ position, what: 'signature', detail: 'nobody signed it' })
  }
}

/** How far three looks at each transaction are: what it says takes half of the time, the tree a sixth, the index a third. */
function looked(look: keyof typeof SHARE, done: number, total: number): number {
  const [from, share] = SHARE[look]
  return Math.floor((total * from + done * share) / 6)
}

/** Receipts by provider: the same counter never stands for two receipts, and a direct successor points at the one before. */
class ReceiptChains {
  readonly #seen = new Map<string, { readonly counter: number; readonly name: Uint8Array }>()

  /** What is wrong with the next receipt, or null. */
  add({ transaction }: Entry): string | null {
    const { statement, providerSignature } = transaction
    if (!providerSignature) return null
    const provider = b4a.toString(statement.provider, 'hex')
    const last = this.#seen.get(provider)
    const name = receiptHash(statement)
    const twice = last?.counter === statement.counter && !b4a.equals(name, last.name)
    // Answers end in another order than they were signed in, so only neighbours can be compared here.
    const next = last !== undefined && statement.counter === last.counter + 1
    const astray = next && !b4a.equals(statement.previous, last.name)
    if (!last || statement.counter > last.counter) this.#seen.set(provider, { counter: statement.counter, name })
    if (twice) return `two receipts with counter ${statement.counter}`
    return astray ? `receipt ${statement.counter} does not follow on the one before` : null
  }
}

/** Computes the roots from the blocks; a cleared block's leaf comes from the tree, and is covered by the hash above it. */
async function checkTree(audited: Audited, faults: Faults): Promise<void> {
  const { log, checkpoints, signer, transactions } = audited
  const wanted = new Map<number, SignedCheckpoint[]>()
  for (const signed of checkpoints) {
    const { length } = signed.checkpoint
    wanted.set(length, [...(wanted.get(length) ?? []), signed])
    const bad = !verifyCheckpoint(signed, signer) || !b4a.equals(signed.checkpoint.log, log.key) || length > log.length
    if (bad)
      faults.add({ position: null, what: 'checkpoint', detail: `at length ${length}: not of this log and owner` })
  }
  const tree = new Tree()
  // Appends may go on meanwhile.
  const { length } = log
  let leaves: readonly Leaf[] = []
  for (let block = 0; block <= length; block++) {
    for (const { checkpoint } of wanted.get(block) ?? []) {
      if (b4a.equals(checkpoint.treeHash, tree.hash())) continue
      faults.add({ position: null, what: 'checkpoint', detail: `at length ${block}: another tree hash` })
    }
    if (block % TELL_EVERY === 0) {
      audited.signal?.throwIfAborted()
      audited.onProgress?.(looked('tree', Math.min(transactions, block / 2), transactions), transactions)
    }
    if (block % AHEAD === 0) {
      const count = Math.min(AHEAD, length - block)
      leaves = await Promise.all(Array.from({ length: count }, (_, i) => leafOf(log, block + i)))
    }
    const leaf = leaves[block % AHEAD]
    if (leaf && block < length) tree.add(block, leaf)
  }
  if (b4a.equals(tree.hash(), await log.treeHash(length))) return
  faults.add({ position: null, what: 'tree', detail: 'the blocks do not give the stored tree hash' })
}

interface Leaf {
  readonly hash: Uint8Array
  readonly size: number
}

async function leafOf(log: Hypercore, block: number): Promise<Leaf> {
  const bytes = await log.get(block, { wait: false })
  if (bytes) return { hash: crypto.data(bytes), size: bytes.byteLength }
  const { hash } = await log.proof({ hash: { index: 2 * block, nodes: 0 } })
  const [leaf] = hash?.nodes ?? []
  return leaf ?? { hash: b4a.alloc(32), size: 0 }
}

/** Hypercore's Merkle tree in flat-tree numbering: only its current roots are kept. */
class Tree {
  readonly #roots: { index: number; height: number; size: number; hash: Uint8Array }[] = []

  add(block: number, leaf: Leaf): void {
    let node = { index: 2 * block, height: 0, size: leaf.size, hash: leaf.hash }
    for (;;) {
      const left = this.#roots.at(-1)
      if (!left || left.height !== node.height) break
      this.#roots.pop()
      node = {
        index: (left.index + node.index) / 2,
        height: node.height + 1,
        size: left.size + node.size,
        hash: crypto.parent(left, node),
      }
    }
    this.#roots.push(node)
  }

  hash(): Uint8Array {
    return crypto.tree(this.#roots)
  }
}

class Faults {
  readonly listed: Fault[] = []
  count = 0

  add(fault: Fault): void {
    this.count++
    if (this.listed.length < MAX_LISTED) this.listed.push(fault)
  }
}
