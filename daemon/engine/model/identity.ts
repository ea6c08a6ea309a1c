/** Who a model file is: root, name and facts from its header, checked before anything is loaded. */
import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { EngineError } from '../errors.js'
import type { GgufHeader } from './gguf.js'
import { readGgufHeader } from './gguf.js'
import { nameModel } from './name.js'
import { hashModel } from './root.js'
import { RootCache } from './root-cache.js'

export interface ModelProgress {
  readonly phase: 'hash' | 'download' | 'load'
  /** Bytes, or percent for `load`. */
  readonly done: number
  readonly total: number
}

export interface IdentifyOptions {
  readonly onProgress?: ((progress: ModelProgress) => void) | undefined
  /** Roots are remembered there by path, size and time of change; null or absent = always hash. */
  readonly cacheFile?: string | null | undefined
  readonly signal?: AbortSignal | undefined
}

export interface ModelIdentity {
  /** Absolute, first part. */
  readonly path: string
  /** All parts in order. */
  readonly parts: readonly string[]
  /** 32 bytes. */
  readonly root: Uint8Array
  readonly name: string
  readonly quantisation: string
  readonly architecture: string
  readonly parameters: number
  readonly fileBytes: number
  /** What a person has to know before trusting the answers; from the file, so that it travels with it. */
  readonly notice: string | null
  readonly header: GgufHeader
}

const TOY_NOTICE = 'toy model for demonstrations and tests: do not rely on its answers'

interface Part {
  readonly path: string
  readonly size: number
  readonly changed: number
}

/** Throws `MODEL_NOT_FOUND` or `MODEL_INVALID` with what is wrong and where. */
export async function identifyModel(path: string, options: IdentifyOptions = {}): Promise<ModelIdentity> {
  const parts = await findParts(resolve(path))
  const headers: GgufHeader[] = []
  for (const part of parts) headers.push(await readHeader(part))
  const [first] = parts
  const [header] = headers
  if (first === undefined || header === undefined) throw EngineError.MODEL_NOT_FOUND(`no such file: ${path}`)
  const fileBytes = parts.reduce((sum, part) => sum + part.size, 0)
  const architecture = header.metadata.get('general.architecture')
  if (typeof architecture !== 'string') {
    throw EngineError.MODEL_INVALID(`${first.path}: the header does not say which architecture the model has`)
  }
  return {
    path: first.path,
    parts: parts.map((part) => part.path),
    root: await rootOf(parts, fileBytes, options),
    ...nameModel(header, basename(first.path)),
    architecture,
    parameters: headers.reduce((sum, part) => sum + part.parameters, 0),
    fileBytes,
    notice: header.metadata.get('general.finetune') === 'toy' ? TOY_NOTICE : null,
    header,
  }
}

async function rootOf(parts: readonly Part[], total: number, options: IdentifyOptions): Promise<Uint8Array> {
  const cache = options.cacheFile === undefined || options.cacheFile === null ? null : new RootCache(options.cacheFile)
  const known = await cache?.find(parts)
  if (known !== undefined && known !== null) return known
  const root = await hashModel(
    parts.map((part) => part.path),
    { onProgress: (done) => options.onProgress?.({ phase: 'hash', done, total }), signal: options.signal },
  )
  await cache?.remember(parts, root)
  return root
}

async function readHeader(part: Part): Promise<GgufHeader> {
  let header: GgufHeader
  try {
    header = await readGgufHeader(part.path, part.size)
  } catch (error) {
    if (error instanceof EngineError) throw EngineError.MODEL_INVALID(`${part.path}: ${error.message}`)
    throw EngineError.MODEL_INVALID(
      `${part.path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
  if (part.size < header.dataEnd) {
    throw EngineError.MODEL_INVALID(
      `${part.path}: the file is cut off: its tensors need ${header.dataEnd} bytes, the file has ${part.size}. Download it again`,
    )
  }
  return header
}

const SPLIT = /-(\d{5})-of-(\d{5})\.gguf$/i

async function findParts(path: string): Promise<Part[]> {
  const split = SPLIT.exec(path)
  const count = Number(split?.[2] ?? 0)
  if (split === null || count < 2 || count > 999) return [await findPart(path)]
  const stem = path.slice(0, split.index)
  const paths = Array.from(
    { length: count },
    (_, i) => `${stem}-${String(i + 1).padStart(5, '0')}-of-${split[2] ?? ''}.gguf`,
  )
  return Promise.all(paths.map(findPart))
}

async function findPart(path: string): Promise<Part> {
  const stats = await stat(path).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    throw EngineError.MODEL_NOT_FOUND(
      code === 'ENOENT' ? `no such file: ${path}` : `${path} cannot be opened (${code})`,
    )
  })
  if (stats.isDirectory()) throw EngineError.MODEL_INVALID(`${path} is a directory: name the .gguf file in it`)
  if (!stats.isFile()) throw EngineError.MODEL_INVALID(`${path} is not a regular file`)
  if (stats.size < 24) throw EngineError.MODEL_INVALID(`${path} is not a GGUF file: it has only ${stats.size} bytes`)
  return { path, size: stats.size, changed: Math.round(stats.mtimeMs) }
}
