/** Whole nodes in this process on a private DHT, and their ledgers as they lie on the disk afterwards. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { lamports } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import { FREE } from '../../ledger/price.js'
import type { Prices } from '../../ledger/price.js'
import { LedgerStore } from '../../ledger/store/store.js'
import type { Entry } from '../../ledger/store/entry.js'
import { openIdentity } from '../../daemon/identity.js'
import type { Identity } from '../../daemon/identity.js'
import { startNode } from '../../daemon/node.js'
import type { Node, NodeOptions } from '../../daemon/node-options.js'
import { startLoopbackDht } from '../../swarm/bootstrap.js'

export const MODEL = 'mock-words:f32'
const PATIENCE_MS = 60_000

export interface NodeSettings {
  readonly prices?: Prices
  readonly credit?: bigint | null
  readonly budget?: NodeOptions['budget']
  readonly chain?: NodeOptions['chain']
  readonly tokensPerSecond?: number
  /** Unix milliseconds, for what is paid. */
  readonly now?: () => number
  /** Mixed into topics: nodes with another one find each other by their keys only. */
  readonly invite?: Uint8Array | null
}

export interface Nodes {
  readonly bootstrap: NonNullable<NonNullable<NodeOptions['swarm']>['bootstrap']>
  readonly folder: (name: string) => string
  /** A provider of the mock. */
  provider(name: string, settings?: NodeSettings): Promise<Node>
  /** A consumer that sees `providers` of the model. */
  consumer(name: string, settings?: NodeSettings, providers?: number): Promise<Node>
  /** The ledger of a node that is closed, or was killed. */
  ledger<T>(name: string, read: (store: LedgerStore, identity: Identity) => Promise<T>): Promise<T>
  /** Newest first. */
  entries(name: string): Promise<readonly Entry[]>
}

export async function nodes(t: TestContext): Promise<Nodes> {
  const root = await mkdtemp(join(tmpdir(), 'swarmd-nodes-'))
  const dht = await startLoopbackDht()
  const running = new Set<Node>()
  t.after(async () => {
    await Promise.all([...running].map((node) => node.close()))
    await dht.close()
    await rm(root, { recursive: true, force: true })
  })
  const folder = (name: string): string => join(root, name)
  const start = async (
    name: string,
    options: Pick<NodeOptions, 'models' | 'api'>,
    given: NodeSettings,
  ): Promise<Node> => {
    const node = await startNode(
      {
        version: 'test',
        dataDir: folder(name),
        cacheDir: join(root, 'cache'),
        swarm: {
          bootstrap: dht.bootstrap,
          host: '127.0.0.1',
          network: 'test',
          invite: given.invite ?? null,
          allow: null,
        },
        aliases: {},
        budget: given.budget ?? { all: { perRequest: null, perDay: null }, keys: new Map() },
        credit: creditOf(given),
        chain: given.chain ?? null,
        ...options,
      },
      { onProgress: () => undefined, log: SILENT, ...(given.now ? { now: given.now } : {}) },
    )
    running.add(node)
    void node.closed.then(() => running.delete(node))
    await node.ready()
    return node
  }
  const api = {
    host: '127.0.0.1',
    port: 0,
    key: null,
    keys: new Map(),
    allowOrigins: [],
    allowHosts: [],
    bodyLimit: 2 ** 24,
  }
  const nodes: Nodes = {
    bootstrap: dht.bootstrap,
    folder,
    provider: (name, given = {}) => start(name, { models: [mock(given)], api: null }, given),
    async consumer(name, given = {}, providers = 1) {
      const node = await start(name, { models: [], api }, given)
      await until(() => (node.snapshot().models[0]?.providers ?? 0) === providers)
      return node
    },
    async ledger(name, read) {
      const identity = openIdentity(folder(name))
      const store = await LedgerStore.open(join(folder(name), 'ledger'), identity.store())
      try {
        return await read(store, identity)
      } finally {
        await store.close()
      }
    },
    entries: (name) => nodes.ledger(name, async (store) => (await store.query({}, 1000)).map(({ entry }) => entry)),
  }
  return nodes
}

export interface Answer {
  readonly status: number
  readonly text: string
  readonly body: string
}

export async function chat(node: Node, content: string, more: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
  const response = await fetch(`${node.apiUrl ?? ''}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content }], seed: 3, ...more }),
    signal: AbortSignal.timeout(PATIENCE_MS),
  })
  const body = await response.text()
  const parsed = JSON.parse(body) as { choices?: readonly { message: { content: string } }[] }
  return { status: response.status, text: parsed.choices?.[0]?.message.content ?? '', body }
}

function mock({ prices = FREE, tokensPerSecond = 0 }: NodeSettings): NodeOptions['models'][number] {
  const nothing = { name: null, slots: null, contextLength: null, threads: null, queueLimit: null }
  return { source: 'mock', prices, mock: { tokensPerSecond }, ...nothing }
}

function creditOf({ credit = null }: NodeSettings): Lamports | null {
  return credit === null ? null : lamports(credit)
}

/** Resolves once each of them has written down so many transactions. */
export async function recorded(count: number, ...sides: readonly Node[]): Promise<void> {
  await until(() => sides.every((node) => node.snapshot().ledger.transactions >= count))
}

/** Looks again and again: nothing tells when a node's picture of itself has changed. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('it never came to that')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

const SILENT = { debug: silent, info: silent, warn: silent, error: silent }

function silent(): void {}
