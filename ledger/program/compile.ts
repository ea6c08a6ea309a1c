/**
 * C to objects with Debian's clang 19, and nothing else: no headers but ours, no library.
 *
 * The flags are part of the program: another one gives other bytes.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { BuildError } from './errors.js'
import { readObject } from './object.js'
import type { ObjectFile } from './object.js'

export const COMPILER = 'clang-19'
/** `-mcpu=v2`: see opcodes.ts. The chain gives each function a frame of 4 KiB. */
const FLAGS =
  '-target bpf -mcpu=v2 -O2 -std=c11 -ffreestanding -fno-builtin -fno-strict-aliasing -fno-jump-tables ' +
  '-mllvm -bpf-stack-size=4096 -Wall -Wextra -Werror'

/** File names (`voucher.c`, `program.h`) and their texts. */
export type Sources = ReadonlyMap<string, string>

export async function readSources(folder: string): Promise<Sources> {
  const names = (await readdir(folder)).filter((name) => /\.[ch]$/.test(name)).toSorted()
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  )
}

/** The compiler's first line, or null when there is none. */
export async function compilerVersion(): Promise<string | null> {
  try {
    return (await run(COMPILER, ['--version'])).stdout.split('\n', 1)[0] ?? null
  } catch {
    return null
  }
}

/** One object for each C file, in the order of their names. Throws `NO_COMPILER`, or what the compiler says. */
export async function compile(sources: Sources): Promise<ObjectFile[]> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-program-'))
  try {
    for (const [name, text] of sources) await writeFile(join(folder, name), text)
    const objects: ObjectFile[] = []
    for (const name of [...sources.keys()].filter((one) => one.endsWith('.c'))) {
      objects.push(await compileOne(folder, name))
    }
    return objects
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function compileOne(folder: string, name: string): Promise<ObjectFile> {
  const output = join(folder, `${name}.o`)
  try {
    await run(COMPILER, [...FLAGS.split(' '), '-c', name, '-o', output], { cwd: folder })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
      throw BuildError.NO_COMPILER(COMPILER, error)
    throw error
  }
  return readObject(name, await readFile(output))
}

const run = promisify(execFile)
