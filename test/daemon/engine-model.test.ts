import assert from 'node:assert/strict'
import { appendFile, mkdir, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import crypto from 'hypercore-crypto'
import { EngineError } from '../../daemon/engine/errors.js'
import { identifyModel } from '../../daemon/engine/model/identity.js'
import { planMemory } from '../../daemon/engine/model/memory.js'
import { distinctName } from '../../daemon/engine/model/name.js'
import { RootHasher } from '../../daemon/engine/model/root.js'
import { ggufFile, modelEntries } from '../helpers/gguf.js'

const folder = await mkdtemp(join(tmpdir(), 'swarmd-model-'))
after(() => rm(folder, { recursive: true, force: true }))

const TENSORS = [
  { name: 'token_embd.weight', dimensions: [64, 3] },
  { name: 'output.weight', dimensions: [64, 700] },
]

async function file(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, bytes)
  return path
}

const refused = (code: string, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof EngineError)
  assert.equal(error.code, code)
  assert.match(error.message, words)
  return true
}

describe('model root', () => {
  void test('is the root of the Merkle tree over the blocks, as Hypercore builds it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 40 }),
        (blocks) => {
          const hasher = new RootHasher()
          for (const block of blocks) hasher.push(block)
          assert.deepEqual(Buffer.from(hasher.digest()), Buffer.from(naiveRoot(blocks)))
        },
      ),
    )
  })

  void test('has the pinned value for a file of one block and a file of three', async () => {
    const small = await identifyModel(await file('small.gguf', ggufFile(modelEntries(), [])))
    const large = await identifyModel(await file('large.gguf', ggufFile(modelEntries(), TENSORS)))
    assert.equal(Buffer.from(small.root).toString('hex'), GOLDEN_SMALL)
    assert.equal(Buffer.from(large.root).toString('hex'), GOLDEN_LARGE)
  })

  void test('of a split model is the one of its parts put together, whichever part is named', async () => {
    const bytes = ggufFile(modelEntries(), TENSORS)
    const first = await file('split-00001-of-00002.gguf', bytes)
    const second = await file('split-00002-of-00002.gguf', ggufFile([{ key: 'split.no', u32: 1 }]))
    const [a, b] = [await identifyModel(first), await identifyModel(second)]
    assert.deepEqual(a.root, b.root)
    assert.equal(a.parts.length, 2)
    assert.equal(a.fileBytes, bytes.length + (await stat(second)).size)
  })

  void test('of a split model with a part missing is an error that names the part', async () => {
    const path = await file('lonely-00001-of-00002.gguf', ggufFile(modelEntries()))
    await assert.rejects(identifyModel(path), refused('MODEL_NOT_FOUND', /lonely-00002-of-00002/))
  })

  void test('is remembered until the file changes', async () => {
    const path = await file('cached.gguf', ggufFile(modelEntries(), TENSORS))
    const cacheFile = join(folder, 'data', 'roots.json')
    let hashed = 0
    const identify = (): Promise<unknown> => identifyModel(path, { cacheFile, onProgress: () => hashed++ })
    await identify()
    assert.ok(hashed > 0)
    hashed = 0
    await identify()
    assert.equal(hashed, 0)
    await appendFile(path, 'x')
    await identify()
    assert.ok(hashed > 0)
    hashed = 0
    await utimes(path, new Date(), new Date(0))
    await identify()
    assert.ok(hashed > 0)
  })

  void test('survives a cache that is garbage, and one that cannot be written', async () => {
    const path = await file('garbage.gguf', ggufFile(modelEntries()))
    const cacheFile = await file('roots-garbage.json', Buffer.from('{"a": 1, "b": [}'))
    const { root } = await identifyModel(path, { cacheFile })
    const again = await identifyModel(path, { cacheFile: join(cacheFile, 'below-a-file') })
    assert.deepEqual(again.root, root)
  })

  void test('progress ends with all bytes, and an abort stops the hashing', async () => {
    const bytes = ggufFile(modelEntries(), [{ name: 'big', dimensions: [1024, 1024] }])
    const path = await file('big.gguf', bytes)
    let last = { done: 0, total: 0 }
    await identifyModel(path, { onProgress: (progress) => (last = progress) })
    assert.deepEqual([last.done, last.total], [bytes.length, bytes.length])
    const abort = new AbortController()
    abort.abort()
    await assert.rejects(identifyModel(path, { signal: abort.signal }))
  })
})

describe('model name', () => {
  void test('comes from the metadata, not from the name of the file', async () => {
    const { name, quantisation } = await identifyModel(await file('whatever.gguf', ggufFile(modelEntries())))
    assert.equal(name, 'tiny-llama-1.1b-chat:q4_k_m')
    assert.equal(quantisation, 'q4_k_m')
  })

  void test('leaves out what an earlier part says already', async () => {
    const entries = [
      { key: 'general.architecture', text: 'gemma3' },
      { key: 'general.basename', text: 'gemma-3-270m' },
      { key: 'general.size_label', text: '270M' },
      { key: 'general.file_type', u32: 7 },
    ]
    assert.equal((await identifyModel(await file('x.gguf', ggufFile(entries)))).name, 'gemma-3-270m:q8_0')
  })

  void test('falls back to the general name, then to the file', async () => {
    const architecture = { key: 'general.architecture', text: 'llama' }
    const general = ggufFile([architecture, { key: 'general.name', text: 'My  Model!' }])
    assert.equal((await identifyModel(await file('y.Q5_K_M.gguf', general))).name, 'my-model:q5_k_m')
    assert.equal(
      (await identifyModel(await file('Some_Thing.gguf', ggufFile([architecture])))).name,
      'some-thing:unknown',
    )
  })

  void test('has at most 96 bytes, and the root tells namesakes apart', async () => {
    const long = [
      { key: 'general.architecture', text: 'llama' },
      { key: 'general.name', text: 'x'.repeat(500) },
    ]
    const { name, root } = await identifyModel(await file('long.gguf', ggufFile(long)))
    assert.ok(Buffer.byteLength(name) <= 96)
    assert.match(distinctName('a:q4_0', root), /^a:q4_0@[0-9a-f]{8}$/)
  })
})

describe('a broken model file', () => {
  const good = ggufFile(modelEntries(), TENSORS)

  void test('that is missing, a directory, tiny, or something else is refused with the reason', async () => {
    await assert.rejects(identifyModel(join(folder, 'nowhere.gguf')), refused('MODEL_NOT_FOUND', /no such file/))
    await mkdir(join(folder, 'dir.gguf'))
    await assert.rejects(identifyModel(join(folder, 'dir.gguf')), refused('MODEL_INVALID', /is a directory/))
    await assert.rejects(
      identifyModel(await file('empty.gguf', new Uint8Array())),
      refused('MODEL_INVALID', /only 0 bytes/),
    )
    await assert.rejects(
      identifyModel(await file('text.gguf', Buffer.alloc(100, 'hello'))),
      refused('MODEL_INVALID', /not a GGUF file/),
    )
    await assert.rejects(
      identifyModel(join(folder, 'text.gguf', 'below')),
      refused('MODEL_NOT_FOUND', /cannot be opened/),
    )
  })

  void test('that ends early says how many bytes it should have', async () => {
    const path = await file('short.gguf', good.subarray(0, good.length - 1))
    await assert.rejects(identifyModel(path), refused('MODEL_INVALID', new RegExp(`cut off.*${good.length} bytes`)))
  })

  void test('cut anywhere is refused, never a crash', async () => {
    for (let length = 24; length < good.length; length += length < 700 ? 7 : 20_011) {
      const path = await file('cut.gguf', good.subarray(0, length))
      await assert.rejects(
        identifyModel(path),
        (error) => error instanceof EngineError && error.code === 'MODEL_INVALID',
      )
    }
  })

  void test('with any bytes changed is read or refused, never a hang or a crash', async () => {
    const change = fc.array(fc.tuple(fc.nat(900), fc.nat(255)), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(change, async (changes) => {
        const bytes = Buffer.from(good)
        for (const [at, value] of changes) bytes[at] = value
        const path = await file('mutated.gguf', bytes)
        await identifyModel(path).catch((error: unknown) => assert.ok(error instanceof EngineError, String(error)))
      }),
      { numRuns: 300 },
    )
  })
})

describe('memory', () => {
  const gigabytes =
    (count: number): (() => number) =>
    () =>
      count * 1e9

  void test('a model that fits gets the slots and the context that were asked for', async () => {
    const identity = await identifyModel(await file('fits.gguf', ggufFile(modelEntries())))
    const plan = planMemory(identity, { slots: 3, contextSize: 1024, availableMemory: gigabytes(8) })
    assert.deepEqual([plan.slots, plan.contextSize], [3, 1024])
    // 22 layers, 4 heads of 64 for keys and values, two bytes each.
    assert.equal(plan.cache, 3 * 1024 * 22 * 4 * 128 * 2)
  })

  void test('without wishes the context shrinks first, then the slots', async () => {
    const identity = await identifyModel(join(folder, 'fits.gguf'))
    const roomy = planMemory(identity, { availableMemory: gigabytes(8) })
    assert.deepEqual([roomy.slots, roomy.contextSize], [4, 4096])
    const tight = planMemory(identity, { availableMemory: gigabytes(0.62) })
    assert.ok(tight.contextSize < 4096 && tight.total <= tight.available)
  })

  void test('what cannot fit is refused with both numbers', async () => {
    const identity = await identifyModel(join(folder, 'fits.gguf'))
    assert.throws(
      () => planMemory(identity, { slots: 8, contextSize: 4096, availableMemory: gigabytes(0.5) }),
      (error) => {
        assert.ok(error instanceof EngineError && error.code === 'OUT_OF_MEMORY')
        assert.ok(Number(error.context['needed']) > Number(error.context['available']))
        assert.match(error.message, /needs about .* MB .*only 450 MB can be used/)
        return true
      },
    )
  })

  void test('senseless wishes are refused', async () => {
    const identity = await identifyModel(join(folder, 'fits.gguf'))
    for (const wishes of [{ contextSize: 8192 }, { contextSize: 3 }, { slots: 0 }, { slots: 65 }, { slots: 1.5 }]) {
      assert.throws(() => planMemory(identity, wishes), refused('BAD_REQUEST', /./))
    }
  })
})

/** The definition, by recursion over complete subtrees. */
function naiveRoot(blocks: readonly Uint8Array[]): Uint8Array {
  interface Node {
    index: number
    size: number
    hash: Uint8Array
  }
  const subtree = (from: number, count: number): Node => {
    const block = blocks[from]
    if (count === 1 && block !== undefined) return { index: 2 * from, size: block.length, hash: crypto.data(block) }
    const left = subtree(from, count / 2)
    const right = subtree(from + count / 2, count / 2)
    return { index: (left.index + right.index) / 2, size: left.size + right.size, hash: crypto.parent(left, right) }
  }
  const roots: Node[] = []
  for (let from = 0; from < blocks.length;) {
    const count = 2 ** Math.floor(Math.log2(blocks.length - from))
    roots.push(subtree(from, count))
    from += count
  }
  return crypto.tree(roots)
}

const GOLDEN_SMALL = '4c0b26e45cf055d846d33304143d912d947261188507adfc2916ecd9f8e88767'
const GOLDEN_LARGE = '5fd745b481111e6959093c4fe5989964623871c9d8a10275d6903235c9c4f189'
