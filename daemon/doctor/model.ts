/** How much memory a model file would take here. */
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import type { Config } from '../config.js'
import { codeOf, DaemonError } from '../errors.js'
import { absolute } from '../paths.js'
import type { MemoryNeed } from './machine.js'

const GGUF_MAGIC = 'GGUF'
/** Context and work space, when nobody knows the model better: a fifth of the weights. */
const OVERHEAD = 1.2

/** Throws `CONFIG_INVALID` when `path` is no model file. */
export function memoryNeed(path: string, cwd: string, _config: Config): Promise<MemoryNeed> {
  const file = absolute(path, cwd)
  return Promise.resolve({ model: basename(file), bytes: Math.round(modelBytes(file) * OVERHEAD) })
}

function modelBytes(file: string): number {
  try {
    const stat = statSync(file)
    if (!stat.isFile()) throw DaemonError.CONFIG_INVALID(`${file} is not a file.`)
    if (readMagic(file) !== GGUF_MAGIC) throw DaemonError.CONFIG_INVALID(`${file} is not a GGUF model.`)
    return stat.size
  } catch (error) {
    if (error instanceof DaemonError) throw error
    throw DaemonError.CONFIG_INVALID(`The model ${file} cannot be read (${codeOf(error) ?? 'unknown reason'}).`)
  }
}

function readMagic(file: string): string {
  const fd = openSync(file, 'r')
  try {
    const magic = Buffer.alloc(GGUF_MAGIC.length)
    readSync(fd, magic, 0, magic.length, 0)
    return magic.toString('latin1')
  } finally {
    closeSync(fd)
  }
}
