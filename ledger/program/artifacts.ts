/**
 * The built program as it is committed: code, checksum, IDL. A node without a compiler uses these.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** Compiled, this file lies in dist/ledger/program; what it reads lies beside its source. */
const HERE = new URL('../../../ledger/program/', import.meta.url)

export const PROGRAM_FOLDER = fileURLToPath(HERE)
export const PROGRAM_IMAGE = fileURLToPath(new URL('swarmd.so', HERE))
export const PROGRAM_CHECKSUM = fileURLToPath(new URL('swarmd.so.sha256', HERE))
export const PROGRAM_IDL = fileURLToPath(new URL('swarmd.idl.json', HERE))

/** The ELF file that is deployed. */
export async function readProgram(): Promise<Uint8Array> {
  return readFile(PROGRAM_IMAGE)
}

/** As `sha256sum` prints and checks it. */
export function checksumLine(image: Uint8Array): string {
  return `${createHash('sha256').update(image).digest('hex')}  swarmd.so\n`
}
