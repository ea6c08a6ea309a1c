/** Loads one GGUF with node-llama-cpp and gathers what the rest of the host needs to know about it. */
import { readFileSync } from 'node:fs'
import type { Llama, LlamaContext, LlamaModel, Token } from 'node-llama-cpp'
import { getLlama, LlamaLogLevel } from 'node-llama-cpp'
import { EngineError } from '../errors.js'
import type { Runtime } from '../port.js'
import type { LoadedFacts, LoadOptions, LogLevel } from '../protocol.js'
import type { ThoughtMarkers } from '../text/thoughts.js'
import { detectMarkers, THOUGHT_MARKERS } from '../text/thoughts.js'
import { Vocabulary } from '../text/vocabulary.js'
import { ChatTemplate } from './chat-template.js'
import type { Alone, Lane } from './lane.js'
import { openLanes } from './lanes.js'

export interface LoadedModel {
  readonly llama: Llama
  readonly model: LlamaModel
  readonly lanes: readonly Lane[]
  /** One of the lanes' contexts. */
  readonly context: LlamaContext
  /** For work in contexts besides the lanes. */
  readonly alone: Alone
  /** Tokens per prefill step. */
  readonly chunk: number
  /** Per lane. */
  readonly threads: number
  readonly vocabulary: Vocabulary
  readonly template: ChatTemplate | null
  readonly markers: ThoughtMarkers | null
  readonly facts: LoadedFacts
}

const NATIVE_REASON = /error loading model: (?:error loading model \w+: )?([^]*)$/

export interface LoadHooks {
  readonly onProgress: (fraction: number) => void
  readonly log: (level: LogLevel, text: string) => void
}

export async function loadModel(options: LoadOptions, hooks: LoadHooks): Promise<LoadedModel> {
  // The library's errors do not say why; what the native code said on the way does.
  let complaints: string[] = []
  const llama = await getLlama({
    gpu: options.gpu === 'off' ? false : 'auto',
    build: 'never',
    progressLogs: false,
    logLevel: LlamaLogLevel.warn,
    logger: (level, text) => {
      complaints.push(text)
      hooks.log(level === LlamaLogLevel.warn ? 'warn' : 'error', text)
    },
  })
  const model = await openModel(llama, options, hooks, complaints)
  complaints = []
  const vocabulary = readVocabulary(model)
  const { lanes, alone, shape, context } = await openLanes(llama, model, options)
  const source = model.fileInfo.metadata.tokenizer.chat_template
  const markers = detectMarkers(source ?? '', (name) => vocabulary.find(name) !== null)
  const template = source === undefined ? null : chatTemplate(source, model, vocabulary, hooks)
  return {
    llama,
    model,
    lanes,
    alone,
    context,
    chunk: shape.chunk,
    threads: shape.threads,
    vocabulary,
    template,
    markers,
    facts: {
      contextLength: context.contextSize,
      vocabulary: vocabulary.size,
      slots: options.slots,
      chat: template !== null,
      thoughts: markers !== null,
      embeddings: true,
      template: source ?? null,
      runtime: runtimeOf(llama, context, options, shape.chunk),
    },
  }
}

async function openModel(
  llama: Llama,
  options: LoadOptions,
  hooks: LoadHooks,
  complaints: readonly string[],
): Promise<LlamaModel> {
  try {
    return await llama.loadModel({
      modelPath: options.path,
      ...(options.gpu === 'off' ? { gpuLayers: 0 } : {}),
      defaultContextFlashAttention: options.flashAttention,
      onLoadProgress: hooks.onProgress,
    })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (/memory|vram/i.test(message)) throw EngineError.OUT_OF_MEMORY(`${options.name} does not fit: ${message}`, 0, 0)
    const native = complaints.map((line) => NATIVE_REASON.exec(line)?.[1]).find((words) => words !== undefined)
    const words = `${options.name} cannot be run by this release of llama.cpp: ${(native ?? message).trim()}`
    if (native !== undefined) throw EngineError.MODEL_UNSUPPORTED(words)
    throw EngineError.MODEL_LOAD_FAILED(words)
  }
}

function readVocabulary(model: LlamaModel): Vocabulary {
  const { model: kind, tokens, token_type: types } = model.fileInfo.metadata.tokenizer.ggml
  if (!Array.isArray(tokens) || tokens.length === 0) {
    throw EngineError.MODEL_UNSUPPORTED('the model file has no vocabulary: it cannot turn text into tokens')
  }
  return new Vocabulary({ model: kind, tokens, types: (types ?? []).map(Number) })
}

/** Null when the template cannot be used: the model still completes text. */
function chatTemplate(
  source: string,
  model: LlamaModel,
  vocabulary: Vocabulary,
  hooks: LoadHooks,
): ChatTemplate | null {
  const reserved = new Set<string>()
  for (let token = 0; token < vocabulary.size; token++) {
    const name = vocabulary.name(token)
    const literal = vocabulary.kind(token) === 'literal' && name.length > 2
    const steers = literal && (source.includes(name) || model.isEogToken(token as Token))
    if (name !== '' && (vocabulary.kind(token) === 'control' || steers)) reserved.add(name)
  }
  const text = (token: Token | null): string => (token === null ? '' : vocabulary.name(token))
  const options = {
    source,
    tokenise: (part: string, special: boolean) => (part === '' ? [] : model.tokenize(part, special)),
    reserved: [...reserved],
    assistantMayWrite: THOUGHT_MARKERS.flatMap(({ open, close }) => [open, close]),
    variables: { bos_token: text(model.tokens.bos), eos_token: text(model.tokens.eos) },
  }
  try {
    return new ChatTemplate(options)
  } catch (error) {
    hooks.log('warn', `chat is off: ${error instanceof Error ? error.message : String(error)}`)
    return null
  }
}

function runtimeOf(llama: Llama, context: LlamaContext, options: LoadOptions, chunk: number): Runtime {
  return {
    library: 'node-llama-cpp',
    release: llama.llamaCppRelease.release,
    backend: llama.gpu === false ? 'cpu' : llama.gpu,
    cpuVariant: cpuVariant(),
    flashAttention: context.flashAttention === true,
    kvTypes: options.kvType.toLowerCase(),
    batchSize: chunk,
  }
}

/** Which of the library's CPU builds is loaded: logits are comparable to the bit only within one. */
function cpuVariant(): string {
  try {
    return /ggml-cpu-([a-z0-9_]+)/.exec(readFileSync('/proc/self/maps', 'utf8'))?.[1] ?? process.arch
  } catch {
    return process.arch
  }
}
