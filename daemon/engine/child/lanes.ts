/** The contexts of one model: how many, how large, with how many threads. */
import type { Llama, LlamaContext, LlamaModel } from 'node-llama-cpp'
import { EngineError } from '../errors.js'
import type { LoadOptions } from '../protocol.js'
import { BatchPacer } from './batch-pacer.js'
import type { Alone } from './lane.js'
import { Lane } from './lane.js'
import { nativeContext } from './native.js'
import { Pace } from './pace.js'

export interface Lanes {
  /**
   * Contexts that compute side by side. llama.cpp's threads spin while they wait for each other, so a machine with two
   * cores gives one thread to a computation; streams in two lanes of one thread each wait for nobody and use both cores.
   */
  readonly lanes: readonly Lane[]
  /** For work in other contexts of the same model. */
  readonly alone: Alone
  readonly shape: Shape
  /** One of the contexts, for facts that they share. */
  readonly context: LlamaContext
}

export async function openLanes(llama: Llama, model: LlamaModel, options: LoadOptions): Promise<Lanes> {
  const shape = shapeOf(llama, options)
  // The library would divide threads between contexts: here each lane has its own.
  llama.maxThreads = 0
  const pace = new Pace(shape.lanes)
  // Vulkan crashes when two contexts decode at once.
  const alone: Alone = llama.gpu === 'vulkan' ? oneAfterTheOther() : (work) => work()
  const lanes: Lane[] = []
  const contexts: LlamaContext[] = []
  for (let index = 0; index < shape.lanes; index++) {
    const pacer = new BatchPacer(() => pace.step(index))
    const slots = Math.ceil((options.slots - index) / shape.lanes)
    const context = await openContext(model, options, shape, slots)
    lanes.push(new Lane({ index, slots, native: nativeContext(context), pacer, pace, alone }))
    contexts.push(context)
  }
  const [context] = contexts
  if (context === undefined) throw EngineError.MODEL_LOAD_FAILED('no slots were asked for')
  return { lanes, alone, shape, context }
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

function oneAfterTheOther(): Alone {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const result = last.then(work)
    last = result.catch(() => undefined)
    return result
  }
}
