/**
 * From a model's word on the command line to an engine that answers: the mock, or a GGUF (downloaded first when it is
 * elsewhere) in an engine host.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { identifyModel } from './engine/model/identity.js'
import type { ModelIdentity, ModelProgress } from './engine/model/identity.js'
import { resolveModel } from './engine/model/resolve.js'
import { LlamaEngine } from './engine/host.js'
import { MockEngine } from './engine/mock.js'
import type { Engine } from './engine/port.js'
import type { ModelOptions, NodeLog, Progress } from './node-options.js'

export interface OpenEngineContext {
  /** How many models share this machine's cores. */
  readonly share: number
  readonly cacheDir: string
  readonly onProgress: (progress: Progress) => void
  readonly signal: AbortSignal
  readonly log: NodeLog
}

const PROGRESS_INTERVAL_MS = 100
/** A notice travels in every offer. */
const NOTICE_CHARS = 120

/** Throws an `EngineError` that says what to do. */
export async function openEngine(model: ModelOptions, context: OpenEngineContext): Promise<Engine> {
  const engine = model.mock ? mockEngine(model) : await llamaEngine(model, context)
  const abort = (): void => void engine.close()
  context.signal.addEventListener('abort', abort, { once: true })
  try {
    context.signal.throwIfAborted()
    await engine.ready()
    return engine
  } catch (error) {
    await engine.close()
    throw error
  } finally {
    context.signal.removeEventListener('abort', abort)
  }
}

function mockEngine(model: ModelOptions): Engine {
  return new MockEngine({
    tokensPerSecond: model.mock?.tokensPerSecond ?? 0,
    ...(model.name === null ? {} : { name: model.name }),
    ...(model.slots === null ? {} : { slots: model.slots }),
    ...(model.contextLength === null ? {} : { contextLength: model.contextLength }),
    ...(model.queueLimit === null ? {} : { queueLimit: model.queueLimit }),
  })
}

async function llamaEngine(model: ModelOptions, context: OpenEngineContext): Promise<Engine> {
  const { cacheDir, signal, log } = context
  const onProgress = progressOf(model.source, context.onProgress)
  const cacheFile = join(cacheDir, 'model-roots.json')
  const path = await resolveModel(model.source, {
    directory: join(cacheDir, 'models'),
    onProgress,
    signal,
    token: process.env['HF_TOKEN'] ?? null,
  })
  const identity = await identifyModel(path, { cacheFile, onProgress, signal })
  return new LlamaEngine({
    path: identity.path,
    ...coresOf(model, context.share),
    slots: model.slots,
    contextSize: model.contextLength,
    ...(model.queueLimit === null ? {} : { queueLimit: model.queueLimit }),
    rootCacheFile: cacheFile,
    notice: noticeOf(identity),
    onProgress,
    log: (level, text) => log[level]({ model: identity.name }, text),
  })
}

/** Several models share the cores: each gets its part, and computes in one lane. */
function coresOf(
  { threads }: ModelOptions,
  share: number,
): { readonly threads: number | null; readonly lanes?: number } {
  if (share <= 1) return { threads }
  return { threads: threads ?? Math.max(1, Math.floor((availableParallelism() - 1) / share)), lanes: 1 }
}

/** A model whose own description calls it a toy is labelled so wherever a person meets it. */
function noticeOf({ header }: ModelIdentity): string | null {
  const description = header.metadata.get('general.description')
  if (typeof description !== 'string' || !/\btoy\b/i.test(description)) return null
  return (description.split(/[.:,]/)[0] ?? '').slice(0, NOTICE_CHARS)
}

/** The engine's steps as the node tells them: at most ten a second, and the end of each. */
function progressOf(source: string, tell: (progress: Progress) => void): (progress: ModelProgress) => void {
  let last = 0
  const ended = new Set<string>()
  return ({ phase, done, total }) => {
    const now = performance.now()
    const finished = total > 0 && done >= total
    if (ended.has(phase) || (!finished && now - last < PROGRESS_INTERVAL_MS)) return
    if (finished) ended.add(phase)
    last = now
    tell({ kind: phase, model: source, done, total, finished })
  }
}
