/** Where the models lie that benches run on; null when they have not been fetched or trained. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SMOLLM2, modelPath } from '../test/helpers/models.js'

/** `npm run models` fetches it. */
export function smollm2(): string | null {
  return present(modelPath(SMOLLM2))
}

export function seedling(): string | null {
  return present(fileURLToPath(new URL('../../models/seedling/seedling.gguf', import.meta.url)))
}

function present(path: string): string | null {
  return existsSync(path) ? path : null
}
