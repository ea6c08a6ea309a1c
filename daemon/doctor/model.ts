/** Whether a model file is whole, and whether it fits into this machine's memory with the settings in effect. */
import { join } from 'node:path'
import { identifyModel } from '../engine/model/identity.js'
import type { ModelProgress } from '../engine/model/identity.js'
import { planMemory } from '../engine/model/memory.js'
import type { MemoryPlan } from '../engine/model/memory.js'
import { codeOf } from '../errors.js'
import { ok, fail, warn } from './check.js'
import type { Finding } from './check.js'

export interface ModelQuestion {
  /** Absolute path of the (first part of the) file. */
  readonly path: string
  readonly slots: number | null
  readonly context: number | null
  readonly cacheDir: string
  readonly onProgress: (progress: ModelProgress) => void
  /** Bytes that can be used; absent = this machine's. */
  readonly availableMemory?: () => number
}

const ADVICE: Readonly<Record<string, string>> = {
  MODEL_NOT_FOUND: 'Check the path; a URL or hf:user/repo:quant is checked when it is served.',
  MODEL_INVALID: 'Get the file again, whole, in the GGUF format.',
  OUT_OF_MEMORY:
    'Close other programs, or take fewer --slots, a shorter --context, a smaller model or a smaller quantisation.',
  BAD_REQUEST: 'Change --slots or --context.',
}

/** Hashes the file on the way (progress is shown), so that the first start need not. */
export async function checkModel(question: ModelQuestion): Promise<Finding> {
  const name = 'model'
  const { path, slots, context, cacheDir, onProgress, availableMemory } = question
  try {
    const identity = await identifyModel(path, { cacheFile: join(cacheDir, 'model-roots.json'), onProgress })
    const plan = planMemory(identity, { slots, contextSize: context, ...(availableMemory ? { availableMemory } : {}) })
    const detail = `${identity.name} needs ${planWords(plan)}`
    const trained = identity.header.metadata.get(`${identity.architecture}.context_length`)
    const cut = context === null && typeof trained === 'number' && plan.contextSize < Math.min(trained, 2048)
    return cut
      ? warn(name, detail, 'Memory allows only a short context: close other programs or take fewer --slots.')
      : ok(name, detail)
  } catch (error) {
    const advice = ADVICE[codeOf(error) ?? '']
    if (advice === undefined || !(error instanceof Error)) throw error
    return fail(name, error.message, advice)
  }
}

function planWords(plan: MemoryPlan): string {
  const mb = (bytes: number): string => `${Math.ceil(bytes / 1e6).toLocaleString('en')} MB`
  const slots = `${plan.slots} ${plan.slots === 1 ? 'slot' : 'slots'} of ${plan.contextSize} tokens`
  return `about ${mb(plan.total)} for ${slots}; ${mb(plan.available)} can be used`
}
