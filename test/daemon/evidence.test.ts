/** The token root of real answers, and what a provider can show of them afterwards. */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openContentKey, promptTokensHash, templateHash, UNREPORTED } from '../../ledger/content.js'
import { decodeResponse } from '../../ledger/exchange.js'
import { price } from '../../ledger/price.js'
import { exportTransaction, parseExport, verifyExport } from '../../ledger/proof.js'
import { isConsumerSigned, isProviderSigned } from '../../ledger/receipt.js'
import type { Entry } from '../../ledger/store/entry.js'
import { windowProofs } from '../../ledger/store/window-proofs.js'
import { decodeWindow, verifyWindow } from '../../ledger/token-root.js'
import type { OutputPosition, Width } from '../../ledger/token-root.js'
import { LlamaEngine } from '../../daemon/engine/host.js'
import type { Engine, EngineEvent, GenerateJob } from '../../daemon/engine/port.js'
import { MockEngine } from '../../daemon/engine/mock.js'
import { History } from '../../daemon/history/history.js'
import { verifyFile } from '../../daemon/history/verify-file.js'
import type { Payments } from '../../daemon/payment/open.js'
import type { AskBody } from '../../swarm/port.js'
import { bodyOf, pair } from '../helpers/direct-line.js'
import type { Pair } from '../helpers/direct-line.js'
import { ask, SEEDLING, seedlingMissing } from '../helpers/engine.js'

const NEVER = new AbortController().signal

/** For each token. */
const A_LAMPORT = { input: price(1_000_000n), cached: price(1_000_000n), output: price(1_000_000n) }

/** Writes on and on, with many candidates at each position. */
function endless(resume: readonly number[] = []): Extract<AskBody, { kind: 'generate' }> {
  const body = bodyOf('Once upon a time')
  if (body.kind !== 'generate') throw new TypeError('a text')
  const logitBias = [
    [0, -100_000],
    [2, -100_000],
  ] as const
  return { ...body, resume, sampling: { ...body.sampling, temperatureMilli: 2000, logitBias } }
}

async function answered(side: Pair, body: AskBody, maxTokens: number): Promise<number[]> {
  const tokens: number[] = []
  for await (const event of side.order(body, maxTokens, NEVER)) {
    if (event.type === 'tokens') tokens.push(...event.tokens)
  }
  return tokens
}

/** The newest entry of each side. */
async function newest(side: Pair): Promise<{ readonly ours: Entry; readonly theirs: Entry }> {
  const { consumer, provider } = await side.logs()
  return { ours: consumer[0] ?? assert.fail(), theirs: provider[0] ?? assert.fail() }
}

interface Shown {
  readonly width: Width
  readonly positions: readonly OutputPosition[]
}

/** All windows, each held against the root that both signed. */
async function shown({ books, identity }: Payments, entry: Entry): Promise<Shown> {
  const { response, usage } = entry.transaction.statement
  const windows = await windowProofs(await books.store(), entry, identity.box(), 'all')
  assert.ok(windows)
  assert.equal(windows.length, Math.ceil(usage.output / 32))
  for (const { width, proof } of windows) assert.ok(verifyWindow(response.tokenRoot, width, usage.output, proof))
  const { width = 0 } = windows[0] ?? {}
  return { width, positions: windows.flatMap(({ proof }) => decodeWindow(proof.bytes, width)) }
}

async function told({ books, identity }: Payments, entry: Entry): Promise<readonly number[]> {
  const content = await (await books.store()).content(entry, identity.box())
  const response = content && decodeResponse(content.response)
  assert.ok(response?.kind === 'generate')
  return response.tokens
}

void describe('an answer of the seedling', { skip: seedlingMissing() }, () => {
  const engine = new LlamaEngine({ path: SEEDLING, threads: 1, contextSize: 2048, gpu: 'off', slots: 2 })
  before(() => engine.ready())
  after(() => engine.close())

  void test('has the root that all its windows lead to, signed by both, with the tokens of the response', async (t) => {
    const side = await pair(t, { engine })
    const tokens = await answered(side, endless(), 100)
    const { ours, theirs } = await newest(side)
    assert.deepEqual(ours.transaction, theirs.transaction)
    assert.ok(isProviderSigned(ours.transaction) && isConsumerSigned(ours.transaction))
    const { width, positions } = await shown(side.provider, theirs)
    assert.equal(width, 8)
    assert.deepEqual(
      positions.map(({ token }) => token),
      tokens,
    )
    assert.deepEqual(tokens, await told(side.provider, theirs))
    for (const { top } of positions) {
      assert.ok(top.every(({ logprob }, i) => logprob <= 0 && logprob <= (top[i - 1]?.logprob ?? 0)))
    }
    assert.equal(
      await windowProofs(await side.consumer.books.store(), ours, side.consumer.identity.box(), 'all'),
      null,
      'who asked has no candidates to show',
    )
  })

  void test('names the ids of the prompt and the template, the one keyed and the other not', async (t) => {
    const side = await pair(t, { engine })
    const prompt = { kind: 'chat', messages: [{ role: 'user', content: 'Tell me about mountains.' }] } as const
    let ids: readonly number[] = []
    const evidence = { prompt: (all: Uint32Array) => void (ids = [...all]), block: () => {}, end: () => {} }
    await ask(engine, { prompt, maxTokens: 1, evidence })
    await answered(side, { ...endless(), prompt }, 3)
    const { statement } = (await newest(side)).theirs.transaction
    const key = openContentKey(statement.sealedForProvider, side.provider.identity.box())
    assert.ok(ids.length > 3)
    assert.equal(statement.usage.input + statement.usage.cached, ids.length)
    assert.deepEqual(statement.promptTokensHash, promptTokensHash(key, ids))
    assert.deepEqual(statement.templateHash, templateHash(engine.info.template ?? assert.fail()))
    await answered(side, { ...endless(), prompt: { kind: 'tokens', tokens: [7, 8, 9] } }, 3)
    const plain = (await newest(side)).theirs.transaction.statement
    const plainKey = openContentKey(plain.sealedForProvider, side.provider.identity.box())
    assert.deepEqual(plain.promptTokensHash, promptTokensHash(plainKey, [7, 8, 9]))
    assert.deepEqual(plain.templateHash, templateHash(null))
  })

  void test('that is cut shows the positions that are charged, and no others', async (t) => {
    const side = await pair(t, { engine })
    for (const length of [1, 32, 37, 70]) {
      let count = 0
      for await (const event of side.order(endless(), 2000, NEVER)) {
        if (event.type === 'tokens' && (count += event.tokens.length) >= length) break
      }
      const { ours, theirs } = await newest(side)
      assert.deepEqual(ours.transaction, theirs.transaction)
      assert.equal(theirs.transaction.statement.finish, 'cancelled')
      const { width, positions } = await shown(side.provider, theirs)
      assert.deepEqual([width, positions.length], [8, theirs.transaction.statement.usage.output])
      assert.deepEqual(
        positions.map(({ token }) => token),
        await told(side.provider, theirs),
      )
    }
  })

  void test('that ends with its money shows the positions that are charged', async (t) => {
    const side = await pair(t, { engine, prices: A_LAMPORT, credit: { consumer: 1_000_000n, provider: 300n } })
    const tokens = await answered(side, endless(), 1500)
    const { theirs } = await newest(side)
    assert.equal(theirs.transaction.statement.finish, 'length')
    assert.ok(tokens.length < 1500)
    const { positions } = await shown(side.provider, theirs)
    assert.deepEqual(
      positions.map(({ token }) => token),
      tokens,
    )
  })

  void test('that another provider began shows what was computed here: its windows start where that one ended', async (t) => {
    const side = await pair(t, { engine })
    const first = await answered(side, endless(), 45)
    const rest = await answered(side, endless(first), 100)
    assert.equal(rest.length, 55)
    const { theirs } = await newest(side)
    const { positions } = await shown(side.provider, theirs)
    assert.deepEqual(
      positions.map(({ token }) => token),
      rest,
    )
  })

  void test('can still be shown after a restart, as a file that proves itself, until it is forgotten', async (t) => {
    let side = await pair(t, { engine })
    await answered(side, endless(), 70)
    await side.logs()
    side = await side.reopened()
    const { theirs } = await newest(side)
    const history = historyOf(side.provider)
    const id = Buffer.from(theirs.transaction.statement.id).toString('hex')
    const file = await textOf(history, { op: 'proof', id, content: false, windows: [0, 2] })
    const { detail, windows, proven } = verifyFile(file)
    assert.ok(detail.agreed)
    assert.deepEqual(
      windows.map(({ first, positions }) => [first, positions.length]),
      [
        [0, 32],
        [64, 6],
      ],
    )
    assert.ok(proven.some((sentence) => sentence.includes('parts of the output')))
    const open = verifyFile(await textOf(history, { op: 'proof', id, content: true, windows: 'all' }))
    assert.match(open.detail.checks.find(({ name }) => name === 'output windows')?.detail ?? '', /as in the response/)
    await assert.rejects(textOf(history, { op: 'proof', id, content: false, windows: [3] }), {
      code: 'TOKENS_OUT_OF_RANGE',
    })
    await textOf(history, { op: 'forget', id })
    await assert.rejects(textOf(history, { op: 'proof', id, content: false, windows: [0] }), {
      code: 'HISTORY_NO_EVIDENCE',
    })
  })

  void test('leaves no token at rest that can be read, neither as it is kept nor as it is told', async (t) => {
    const side = await pair(t, { engine })
    await answered(side, endless(), 100)
    const { theirs } = await newest(side)
    const { positions } = await shown(side.provider, theirs)
    const ids = positions.map(({ token }) => token)
    const u32 = Buffer.from(Uint32Array.from(ids.slice(0, 2)).buffer)
    const kept = Buffer.alloc(10)
    kept.writeUInt32LE(positions[40]?.top[0]?.token ?? 0, 0)
    kept.writeInt16LE(Math.round((positions[40]?.top[0]?.logprob ?? 0) * 1024), 4)
    kept.writeUInt32LE(positions[40]?.top[1]?.token ?? 0, 6)
    const uints = Buffer.concat(ids.slice(0, 8).map((token) => uint(token)))
    const readable = await allFiles(join(side.folder, 'provider'))
    for (const needle of [u32, kept, uints, Buffer.from('Once upon a time')]) {
      assert.deepEqual(
        readable.filter(({ bytes }) => bytes.includes(needle)).map(({ path }) => path),
        [],
      )
    }
    const receipt = readable.filter(({ path }) => path.endsWith('.evidence'))
    assert.equal(receipt.length, 1, 'the evidence is there')
    assert.ok((receipt[0]?.bytes.byteLength ?? 0) > 100 * 52)
  })
})

/** An engine whose evidence is not what an engine's should be. */
class Odd extends MockEngine {
  readonly #report: (job: GenerateJob) => void

  constructor(report: (job: GenerateJob) => void) {
    super({ tokensPerEvent: 1 })
    this.#report = report
  }

  override async *generate(job: GenerateJob, signal: AbortSignal): AsyncGenerator<EngineEvent, void, undefined> {
    this.#report(job)
    yield* super.generate(job, signal)
  }
}

function block(tokens: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(tokens.length * 52)
  tokens.forEach((token, i) => bytes.writeUInt32LE(token, i * 52))
  return bytes
}

void test('what an engine cannot show has width 0: nothing is filled up, and the answer stands', async (t) => {
  const engines: readonly (readonly [string, Engine])[] = [
    ['says nothing', new MockEngine({ tokensPerEvent: 1 })],
    ['dies before its last block', new Odd(({ evidence }) => (evidence?.prompt(Uint32Array.of(1)), evidence?.end()))],
    [
      'shows other tokens',
      new Odd(({ evidence }) => {
        evidence?.prompt(Uint32Array.of(1))
        evidence?.block(0, block([500, 501, 502, 503, 504]))
        evidence?.end()
      }),
    ],
    [
      'leaves a hole',
      new Odd(({ evidence }) => {
        evidence?.prompt(Uint32Array.of(1))
        evidence?.block(0, block([0, 1]))
        evidence?.block(3, block([3, 4]))
      }),
    ],
    ['never comes to an end', new Odd(({ evidence }) => evidence?.prompt(Uint32Array.of(1)))],
  ]
  for (const [what, engine] of engines) {
    const side = await pair(t, { engine })
    const tokens = await side.answer('a question', 5)
    const { ours, theirs } = await newest(side)
    assert.deepEqual(ours.transaction, theirs.transaction, what)
    const { width, positions } = await shown(side.provider, theirs)
    assert.deepEqual([width, positions.map(({ token }) => token)], [0, tokens], what)
    const { promptTokensHash: prompt, templateHash: template } = theirs.transaction.statement
    assert.equal(
      prompt.every((byte) => byte === 0),
      what === 'says nothing',
    )
    assert.deepEqual(template, UNREPORTED)
    const file = await exported(side, theirs)
    assert.ok(verifyExport(parseExport(file)).holds)
  }
})

void test('an embedding has no positions, and says nothing of prompt and template', async (t) => {
  const side = await pair(t)
  for await (const event of side.embed(['some words'])) assert.ok(event.type)
  const { statement } = (await newest(side)).theirs.transaction
  assert.deepEqual([statement.promptTokensHash, statement.templateHash], [UNREPORTED, UNREPORTED])
})

async function exported(side: Pair, entry: Entry): Promise<string> {
  const windows = await windowProofs(await side.provider.books.store(), entry, side.provider.identity.box(), 'all')
  return exportTransaction({ transaction: entry.transaction, disclosure: null, windows: windows ?? [] })
}

function historyOf({ books, identity }: Payments): History {
  const names = { nameOf: () => null, rootOf: () => null }
  return new History({ store: () => books.store(), keys: identity, names: names as never, copies: null })
}

async function textOf(history: History, request: unknown): Promise<string> {
  let text = ''
  for await (const item of history.run(request, NEVER)) if ('text' in item) text += item.text
  return text
}

/** compact-encoding's uint, as a response lists its tokens. */
function uint(value: number): Buffer {
  if (value < 0xfd) return Buffer.of(value)
  return Buffer.of(0xfd, value & 0xff, value >> 8)
}

async function allFiles(folder: string): Promise<{ readonly path: string; readonly bytes: Buffer }[]> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = names.filter((name) => name.isFile()).map((name) => join(name.parentPath, name.name))
  return Promise.all(paths.map(async (path) => ({ path, bytes: await readFile(path) })))
}
