/** Puts swarmd's program on a chain: files and addresses of a command line in, what happened out. */
import { readFile } from 'node:fs/promises'
import { fromBase58 } from '../ledger/chain/base58.js'
import { configureProgram } from '../ledger/chain/configure.js'
import { deployProgram } from '../ledger/chain/deploy.js'
import type { Deployed, DeployProgress } from '../ledger/chain/deploy.js'
import { readKeypair } from '../ledger/chain/keypair.js'
import { Rpc } from '../ledger/chain/rpc.js'
import { readProgram } from '../ledger/program/artifacts.js'

export interface ProgramDeployment {
  readonly url: string
  /** Key file of who pays and may upgrade. */
  readonly keypair: string
  /** A key file, or the address of a program that is there; null = follows from the key of who pays. */
  readonly program: string | null
  /** The code; null = the one that comes with swarmd. */
  readonly image: string | null
  /** Base58; null = any chain. */
  readonly genesisHash: string | null
  readonly onProgress: (progress: DeployProgress) => void
}

/** Throws `ChainError`s (ledger/chain/errors.ts) and system errors of the files. */
export async function deployFromFiles(options: ProgramDeployment): Promise<Deployed> {
  const { url, keypair, program, image, genesisHash, onProgress } = options
  const payer = await readKeypair(keypair)
  const elf = image === null ? await readProgram() : await readFile(image)
  const given = program === null ? {} : { program: fromBase58(program, 32) ? program : await readKeypair(program) }
  const rpc = new Rpc({ urls: [url], genesisHash })
  return deployProgram({ rpc, payer, elf, onProgress, ...given })
}

export interface ProgramConfiguration {
  readonly url: string
  /** Key file of the upgrade authority. */
  readonly keypair: string
  /** Base58. */
  readonly program: string
  /** Base58; gets the fees, and has to hold enough to be rent-exempt. */
  readonly treasury: string
  readonly genesisHash: string | null
}

/** Makes the program's config. Throws `ChainError`s. */
export async function configureFromFiles(options: ProgramConfiguration): Promise<'configured' | 'unchanged'> {
  const { url, keypair, program, treasury, genesisHash } = options
  const rpc = new Rpc({ urls: [url], genesisHash })
  return configureProgram(rpc, await readKeypair(keypair), program, treasury)
}
