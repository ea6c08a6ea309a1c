/** The contexts of one model: how many, how large, with how many threads. */
import type { Llama, LlamaContext, LlamaContextSequence, LlamaModel } from 'node-llama-cpp'
import { EngineError } from '../errors.js'
import type { LoadOptions } from '../protocol.js'
import { BatchPacer } from './batch-pacer.js'
import { Pace } from './pace.js'

/**
 * Contexts that compute side by side. llama.cpp's threads spin while they wait for each other, so a machine with two cores
 * gives one thread to a computation; streams in two lanes of one thread each wait for nobody and use both cores.
 */
export interface Lane {
  readonly pacer: BatchPacer
  /** In order of their ids. */
  readonly sequences: readonly LlamaContextSequence[]
}

export interface Lanes {
  readonly lanes: readonly Lane[]
  readonly pace: Pace
  readonly shape: Shape
  /** One of the contexts, for facts that they share. */
  readonly context: LlamaContext
}

export async function openLanes(llama: Llama, model: LlamaModel, options: LoadOptions): Promise<Lanes> {
  const shape = shapeOf(llama, options)
  // The library would divide threads between contexts: here each lane has its own.
  llama.maxThreads = 0
  const pace = new Pace(shape.lanes)
  const lanes: Lane[] = []
  const contexts: LlamaContext[] = []
  for (let lane = 0; lane < shape.lanes; lane++) {
    const pacer = new BatchPacer(() => pace.step(lane))
    const slots = Math.ceil((options.slots - lane) / shape.lanes)
    const context = await openContext(model, options, shape, slots, pacer)
    // The library hands out ids in order from 0; the pacer counts on it.
    lanes.push({ pacer, sequences: Array.from({ length: slots }, () => context.getSequence()) })
    contexts.push(context)
  }
  const [context] = contexts
  if (context === undefined) throw EngineError.MODEL_LOAD_FAILED('no slots were asked for')
  return { lanes, pace, shape, context }
}

export interface Shape {
  readonly threads: number
  readonly lanes: number
  readonly chunk: number
}

function shapeOf(llama: Llama, options: LoadOptions): Shape {
  const threads = options.threads ?? Math.max(1, llama.cpuMathCores - 1)
  const onCpu = llama.gpu === false
  const spare = onCpu && threads === 1 && llama.cpuMathCores > 1
  return {
    threads,
    lanes: Math.min(options.slots, options.lanes ?? (spare ? 2 : 1)),
    chunk: options.batchSize ?? (onCpu ? 32 : 512),
  }
}

async function openContext(
  model: LlamaModel,
  options: LoadOptions,
  shape: Shape,
  slots: number,
  pacer: BatchPacer,
): Promise<LlamaContext> {
  try {
    return await model.createContext({
      sequences: slots,
      contextSize: options.contextSize,
      batchSize: Math.max(shape.chunk, slots),
      threads: shape.threads,
      flashAttention: options.flashAttention,
      experimentalKvCacheKeyType: options.kvType,
      experimentalKvCacheValueType: options.kvType,
      // A sliding window that forgets cannot be rewound to a shared prefix.
      swaFullCache: true,
      batching: { itemPrioritizationStrategy: pacer.strategy },
      failedCreationRemedy: false,
    })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw EngineError.OUT_OF_MEMORY(
      `no room for ${options.slots} slots of ${options.contextSize} tokens (${message}): use fewer slots or a smaller context`,
      0,
      0,
    )
  }
}
