/** Files that pass for a GGUF until llama.cpp looks at them: each is a clear error or a stated fallback. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { EngineError } from '../../daemon/engine/errors.js'
import { LlamaEngine } from '../../daemon/engine/host.js'
import { ask, chat, SEEDLING, seedlingMissing } from '../helpers/engine.js'
import { ggufFile, modelEntries } from '../helpers/gguf.js'

const failed = (code: string, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof EngineError, String(error))
  assert.equal(error.code, code)
  assert.match(error.message, words)
  return true
}

void describe('a model that cannot be run', { skip: seedlingMissing() }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-broken-'))
  after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'model.gguf')

  const withModel = async (
    bytes: Uint8Array,
    use: (engine: LlamaEngine) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> => {
    await writeFile(path, bytes)
    const engine = new LlamaEngine({ path, threads: 1, slots: 1, contextSize: 256, gpu: 'off' })
    try {
      await engine.ready()
      await use(engine)
    } finally {
      await engine.close()
    }
  }
  /** The seedling with a few bytes of its header changed; keys keep their length. */
  const changed = async (from: string, to: string): Promise<Buffer> => {
    const bytes = await readFile(SEEDLING)
    const at = bytes.indexOf(from)
    assert.ok(at > 0 && from.length === to.length)
    bytes.write(to, at)
    return bytes
  }

  void test('is refused with what llama.cpp says about it', async () => {
    await assert.rejects(
      withModel(ggufFile([{ key: 'general.architecture', text: 'perceptron' }])),
      failed('MODEL_UNSUPPORTED', /perceptron/),
    )
    await assert.rejects(withModel(ggufFile(modelEntries())), failed('MODEL_UNSUPPORTED', /key not found/))
  })

  void test('has its vocabulary missing or mangled', async () => {
    for (const key of ['tokenizer.ggml.tokens', 'tokenizer.ggml.merges', 'tokenizer.ggml.model']) {
      const bytes = await changed(key, key.replace('ggml', 'ggXX'))
      await assert.rejects(withModel(bytes), failed('MODEL_UNSUPPORTED', /tokenizer/))
    }
  })

  void test('has damaged weights: an answer of no numbers is an error, not an answer', async () => {
    const bytes = await readFile(SEEDLING)
    bytes.fill(0xff, bytes.length - 1_000_000)
    await withModel(bytes, async (engine) => {
      await assert.rejects(ask(engine), failed('MODEL_INVALID', /damaged/))
      assert.equal(engine.load.state, 'ready')
    })
  })

  void test('has a template that is none: chats are refused, text is completed', async () => {
    await withModel(await changed('{%- set ', '{%- sat '), async (engine) => {
      assert.equal(engine.info.chat, false)
      await assert.rejects(ask(engine, { prompt: chat('Hi') }), failed('NO_CHAT_TEMPLATE', /\/v1\/completions/))
      assert.equal((await ask(engine, { maxTokens: 2 })).tokens.length, 2)
    })
  })

  void test('never became ready: requests are refused as such', async () => {
    await writeFile(path, Buffer.alloc(100, 'x'))
    const engine = new LlamaEngine({ path, threads: 1, slots: 1, contextSize: 64, gpu: 'off' })
    await assert.rejects(engine.ready(), failed('MODEL_INVALID', /not a GGUF/))
    await assert.rejects(ask(engine), failed('ENGINE_NOT_READY', /./))
    assert.throws(() => engine.info, failed('ENGINE_NOT_READY', /./))
    await engine.close()
  })
})
