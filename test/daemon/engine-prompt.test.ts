import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LlamaModel, Token } from 'node-llama-cpp'
import { Embedder } from '../../daemon/engine/child/embedder.js'
import { refuseOversizedPrompt } from '../../daemon/engine/child/prompt.js'
import type { LoadedModel } from '../../daemon/engine/child/model.js'
import type { LoadOptions } from '../../daemon/engine/protocol.js'

const CONTEXT = 100_000

/** One token a character; counts how much it was given. */
function model(): { readonly loaded: Pick<LoadedModel, 'model' | 'facts'>; read: number; longest: number } {
  const state = { read: 0, longest: 0 }
  const tokenize = (text: string): Token[] => {
    state.read += text.length
    state.longest = Math.max(state.longest, text.length)
    return Array.from({ length: text.length }, () => 1 as Token)
  }
  const loaded = { model: { tokenize } as unknown as LlamaModel, facts: { contextLength: CONTEXT } }
  return Object.assign(state, { loaded: loaded as unknown as Pick<LoadedModel, 'model' | 'facts'> })
}

const never = new AbortController().signal
const chat = (...contents: string[]): Parameters<typeof refuseOversizedPrompt>[0] => ({
  kind: 'chat',
  messages: contents.map((content) => ({ role: 'user', content })),
})

void describe('prompts that are far too long', () => {
  void test('are refused after a small part of them, read in small pieces', async () => {
    const state = model()
    await assert.rejects(refuseOversizedPrompt(chat('x'.repeat(15_000_000)), state.loaded, never), {
      code: 'CONTEXT_LENGTH_EXCEEDED',
      message: /at least 2\d{5} tokens .* context length of 100000$/,
    })
    assert.ok(state.read < 3 * CONTEXT, String(state.read))
    assert.ok(state.longest < 65_536, String(state.longest))
  })

  void test('are refused as well when they come as many messages, or as plain text', async () => {
    await assert.rejects(
      refuseOversizedPrompt(chat(...Array<string>(4000).fill('x'.repeat(1000))), model().loaded, never),
      {
        code: 'CONTEXT_LENGTH_EXCEEDED',
      },
    )
    await assert.rejects(refuseOversizedPrompt({ kind: 'text', text: 'x'.repeat(1_000_000) }, model().loaded, never), {
      code: 'CONTEXT_LENGTH_EXCEEDED',
    })
  })

  void test('leave the event loop to others between two pieces, and stop when nobody waits any more', async () => {
    const caller = new AbortController()
    const state = model()
    const reading = refuseOversizedPrompt(chat('x'.repeat(190_000)), state.loaded, caller.signal)
    setImmediate(() => caller.abort())
    await assert.rejects(reading, { name: 'AbortError' })
    assert.ok(state.read < 190_000)
  })

  void test('what may fit is left to the exact count', async () => {
    await refuseOversizedPrompt(chat('x'.repeat(150_000)), model().loaded, never)
    const short = model()
    await refuseOversizedPrompt(chat('x'.repeat(1000)), short.loaded, never)
    assert.equal(short.read, 0)
  })
})

void describe('inputs of embeddings that are far too long', () => {
  const embedder = (): { embedder: Embedder; state: ReturnType<typeof model> } => {
    const state = model()
    const fileInfo = { architectureMetadata: { attention: { head_count: 32 } } }
    const loaded = { ...state.loaded, model: Object.assign(state.loaded.model, { fileInfo }) } as unknown as LoadedModel
    return { embedder: new Embedder(loaded, {} as LoadOptions), state }
  }

  void test('are refused after a small part of them, read in small pieces', async () => {
    const { embedder: own, state } = embedder()
    await assert.rejects(own.embed(['x'.repeat(15_000_000)], never), {
      code: 'CONTEXT_LENGTH_EXCEEDED',
      message: /at least \d+ tokens .* context length of 2048$/,
    })
    assert.ok(state.read <= 32_768, String(state.read))
    assert.ok(state.longest <= 16_384, String(state.longest))
  })

  void test('leave the event loop to others between two inputs, and stop when nobody waits any more', async () => {
    const caller = new AbortController()
    const { embedder: own, state } = embedder()
    const reading = own.embed(Array<string>(1000).fill('x'.repeat(1000)), caller.signal)
    setImmediate(() => caller.abort())
    await assert.rejects(reading, { name: 'AbortError' })
    assert.ok(state.read < 100_000, String(state.read))
  })
})
