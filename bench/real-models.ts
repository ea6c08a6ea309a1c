/** Where the models lie that benches run on; null when they have not been fetched or trained. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CACHE = process.env['SWARMD_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'swarmd')

/** `npm run models` fetches it. */
export function smollm2(): string | null {
  return present(join(CACHE, 'models', 'SmolLM2-135M-Instruct.Q4_1.gguf'))
}

export function seedling(): string | null {
  return present(fileURLToPath(new URL('../../models/seedling/seedling.gguf', import.meta.url)))
}

function present(path: string): string | null {
  return existsSync(path) ? path : null
}
