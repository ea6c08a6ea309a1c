/** From sources to the committed files. */
import { join } from 'node:path'
import { checksumLine, PROGRAM_CHECKSUM, PROGRAM_FOLDER, PROGRAM_IDL, PROGRAM_IMAGE } from './artifacts.js'
import { compile, readSources } from './compile.js'
import type { Sources } from './compile.js'
import { idl } from './idl.js'
import { link } from './link.js'
import type { Linked } from './link.js'

/** No cluster has the program yet: who deploys it chooses the address. */
const NO_ADDRESS = '11111111111111111111111111111111'

export function programSources(): Promise<Sources> {
  return readSources(join(PROGRAM_FOLDER, 'src'))
}

/** Throws `BuildError`s and what the compiler says. */
export async function buildProgram(sources: Sources): Promise<Linked> {
  return link(await compile(sources))
}

/** Path and content of every file that is committed. */
export function artifacts({ image }: Linked): ReadonlyMap<string, Uint8Array> {
  return new Map<string, Uint8Array>([
    [PROGRAM_IMAGE, image],
    [PROGRAM_CHECKSUM, Buffer.from(checksumLine(image))],
    [PROGRAM_IDL, Buffer.from(idl(NO_ADDRESS))],
  ])
}
