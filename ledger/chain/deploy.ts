/**
 * Puts a program on a chain by the upgradeable loader's own transactions: a buffer is created and filled in pieces, then
 * deployed, or, where the program exists, upgraded. Every step first looks at what the chain has, so a deployment that was
 * cut off at any place is finished by running it again: buffer and program key follow from the payer's key.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { PublicKey, SystemProgram } from '@solana/web3.js'
import type { TransactionInstruction } from '@solana/web3.js'
import { hash, signingKeyPair } from '../crypto.js'
import type { KeyPair } from '../crypto.js'
import { accountOf, balanceOf, latestBlockhash, outboxChain, rentFor } from './calls.js'
import * as loader from './deploy-instructions.js'
import { ChainError } from './errors.js'
import { programDataAddress, UPGRADEABLE_LOADER } from './layout/addresses.js'
import type { Rpc } from './rpc.js'
import { confirmed } from './confirm.js'
import { compile, sign } from './sign.js'
import type { Signed } from './sign.js'

/** Writes that are under way at a time. */
const PARALLEL = 16
/** How often missing pieces are written again before it gives up. */
const WRITE_ROUNDS = 30
const POLL_MS = 400

export type DeployPhase = 'buffer' | 'write' | 'deploy' | 'extend' | 'upgrade' | 'verify'

export interface DeployProgress {
  readonly phase: DeployPhase
  /** Bytes written; only of `write`. */
  readonly done: number
  readonly total: number
}

export interface DeployOptions {
  readonly rpc: Rpc
  /** Pays, and is the upgrade authority. */
  readonly payer: KeyPair
  readonly elf: Uint8Array
  /** A key for a new program, or the address of one to upgrade; absent = the key that follows from the payer's. */
  readonly program?: KeyPair | string
  readonly onProgress?: (progress: DeployProgress) => void
  readonly delay?: (ms: number) => Promise<unknown>
}

export interface Deployed {
  /** Base58. */
  readonly program: string
  readonly outcome: 'deployed' | 'upgraded' | 'unchanged'
}

/** Throws `PROGRAM_MISMATCH`, `INSUFFICIENT_FUNDS`, `TX_REJECTED`, or what the connection throws. */
export async function deployProgram(options: DeployOptions): Promise<Deployed> {
  return new Deployment(options).run()
}

class Deployment {
  readonly #rpc: Rpc
  readonly #payer: KeyPair
  readonly #self: PublicKey
  readonly #elf: Uint8Array
  readonly #programKey: KeyPair | null
  readonly #program: PublicKey
  readonly #buffer: KeyPair
  readonly #tell: (progress: DeployProgress) => void
  readonly #delay: (ms: number) => Promise<unknown>

  constructor({ rpc, payer, elf, program, onProgress, delay }: DeployOptions) {
    const seed = payer.secretKey.subarray(0, 32)
    this.#rpc = rpc
    this.#payer = payer
    this.#self = new PublicKey(payer.publicKey)
    this.#elf = elf
    const own = (): KeyPair => signingKeyPair(hash('swarmd/1/chain/program-key', seed))
    this.#programKey = typeof program === 'string' ? null : (program ?? own())
    this.#program = new PublicKey(typeof program === 'string' ? program : (this.#programKey ?? own()).publicKey)
    // Of the payer and the code: another code never continues in the buffer of this one.
    this.#buffer = signingKeyPair(hash('swarmd/1/chain/buffer-key', seed, this.#program.toBytes(), elf))
    this.#tell = onProgress ?? (() => undefined)
    this.#delay = delay ?? ((ms) => sleep(ms))
  }

  async run(): Promise<Deployed> {
    const program = this.#program.toBase58()
    const capacity = await this.#capacity()
    if (capacity !== null && (await this.#isDeployed())) return { program, outcome: 'unchanged' }
    if (capacity === null && this.#programKey === null)
      throw ChainError.PROGRAM_MISMATCH(`There is no program at ${program}; a new one needs its key file.`)
    await this.#afford(capacity)
    await this.#fillBuffer()
    const buffer = new PublicKey(this.#buffer.publicKey)
    if (capacity === null) {
      await this.#deploy(buffer)
    } else {
      const missing = this.#elf.byteLength - capacity
      if (missing > 0) await this.#step('extend', [loader.extend(this.#self, this.#program, missing)])
      // The loader takes one change of a program in a slot.
      if (missing > 0) await this.#delay(2 * POLL_MS)
      await this.#step('upgrade', [loader.upgrade(this.#program, buffer, this.#self, this.#self)])
    }
    this.#told('verify')
    if (!(await this.#isDeployed()))
      throw ChainError.PROGRAM_MISMATCH(`What lies at ${program} is not what was deployed.`)
    return { program, outcome: capacity === null ? 'deployed' : 'upgraded' }
  }

  /** Bytes of code that the program's account has room for; null when there is no program. Throws `PROGRAM_MISMATCH`. */
  async #capacity(): Promise<number | null> {
    const address = this.#program.toBase58()
    const account = await accountOf(this.#rpc, address)
    if (!account) return null
    if (account.owner !== UPGRADEABLE_LOADER.toBase58() || account.data.byteLength !== loader.PROGRAM_BYTES)
      throw ChainError.PROGRAM_MISMATCH(`${address} is no upgradeable program.`)
    const data = await this.#programData()
    const authority = loader.authorityIn(data, loader.PROGRAM_DATA_HEADER)
    if (!authority?.equals(this.#self))
      throw ChainError.PROGRAM_MISMATCH(
        authority === null
          ? `The program ${address} is final: nobody can upgrade it.`
          : `The program ${address} belongs to ${authority.toBase58()}, not to ${this.#self.toBase58()}.`,
      )
    return data.byteLength - loader.PROGRAM_DATA_HEADER
  }

  async #programData(): Promise<Uint8Array> {
    const account = await accountOf(this.#rpc, programDataAddress(this.#program).toBase58())
    return account?.data ?? new Uint8Array(0)
  }

  async #isDeployed(): Promise<boolean> {
    const code = (await this.#programData()).subarray(loader.PROGRAM_DATA_HEADER)
    const { byteLength } = this.#elf
    return (
      code.byteLength >= byteLength &&
      Buffer.compare(code.subarray(0, byteLength), this.#elf) === 0 &&
      code.subarray(byteLength).every((byte) => byte === 0)
    )
  }

  /** Says what is missing before anything is spent. */
  async #afford(capacity: number | null): Promise<void> {
    const { byteLength } = this.#elf
    const buffer = await accountOf(this.#rpc, this.#bufferAddress())
    const rents = await Promise.all([
      buffer ? 0n : rentFor(this.#rpc, loader.BUFFER_HEADER + byteLength),
      capacity === null ? rentFor(this.#rpc, loader.PROGRAM_BYTES) : 0n,
    ])
    const fees = 5_000n * BigInt(Math.ceil(byteLength / loader.CHUNK_BYTES) + 8)
    const needed = rents[0] + rents[1] + fees
    const held = await balanceOf(this.#rpc, this.#self.toBase58())
    if (held < needed)
      throw ChainError.INSUFFICIENT_FUNDS(
        `${this.#self.toBase58()} holds ${held} lamports, and about ${needed} are needed for the rent and the fees.`,
      )
  }

  async #fillBuffer(): Promise<void> {
    const total = this.#elf.byteLength
    const found = await accountOf(this.#rpc, this.#bufferAddress())
    if (!found) await this.#createBuffer()
    else if (!loader.authorityIn(found.data, loader.BUFFER_HEADER)?.equals(this.#self))
      throw ChainError.PROGRAM_MISMATCH(`The buffer ${found.address} is not this key's.`)
    for (let round = 0; round < WRITE_ROUNDS; round++) {
      const account = await accountOf(this.#rpc, this.#bufferAddress())
      const written = account?.data.subarray(loader.BUFFER_HEADER) ?? new Uint8Array(0)
      const missing = loader
        .pieces(this.#elf)
        .filter(({ offset, bytes }) => Buffer.compare(written.subarray(offset, offset + bytes.byteLength), bytes) !== 0)
      this.#tell({ phase: 'write', done: total - missing.reduce((sum, { bytes }) => sum + bytes.byteLength, 0), total })
      if (missing.length === 0) return
      await this.#write(missing)
    }
    throw ChainError.RPC_TIMEOUT(this.#rpc.hosts, WRITE_ROUNDS * POLL_MS)
  }

  async #createBuffer(): Promise<void> {
    const buffer = new PublicKey(this.#buffer.publicKey)
    const space = loader.BUFFER_HEADER + this.#elf.byteLength
    const lamports = Number(await rentFor(this.#rpc, space))
    const place = { fromPubkey: this.#self, newAccountPubkey: buffer, lamports, space, programId: UPGRADEABLE_LOADER }
    await this.#step(
      'buffer',
      [SystemProgram.createAccount(place), loader.initializeBuffer(buffer, this.#self)],
      [this.#buffer],
    )
  }

  /** A round of writes, without waiting for each: what did not arrive is found missing in the next round. */
  async #write(pieces: readonly loader.Piece[]): Promise<void> {
    const buffer = new PublicKey(this.#buffer.publicKey)
    const chain = outboxChain(this.#rpc)
    const recent = await latestBlockhash(this.#rpc)
    let last: Signed | null = null
    for (let at = 0; at < pieces.length; at += PARALLEL) {
      const signed = pieces
        .slice(at, at + PARALLEL)
        .map(({ offset, bytes }) =>
          sign(compile(this.#payer.publicKey, [loader.writeBuffer(buffer, this.#self, offset, bytes)], recent), [
            this.#payer,
          ]),
        )
      await Promise.allSettled(signed.map(({ wire }) => chain.send(wire)))
      last = signed.at(-1) ?? last
    }
    // Long enough for a slot on a real chain; at once where the last one is known already.
    for (let polls = 0; last && polls < 4; polls++) {
      const [sighting] = await chain.look([last.signature])
      if (sighting?.status && sighting.status.level !== 'processed') return
      await this.#delay(POLL_MS)
    }
  }

  async #deploy(buffer: PublicKey): Promise<void> {
    const lamports = Number(await rentFor(this.#rpc, loader.PROGRAM_BYTES))
    const place = { fromPubkey: this.#self, newAccountPubkey: this.#program, lamports, space: loader.PROGRAM_BYTES }
    const instructions = [
      SystemProgram.createAccount({ ...place, programId: UPGRADEABLE_LOADER }),
      loader.deploy(this.#self, this.#program, buffer, this.#self, this.#elf.byteLength),
    ]
    await this.#step('deploy', instructions, this.#programKey ? [this.#programKey] : [])
  }

  async #step(
    phase: DeployPhase,
    instructions: TransactionInstruction[],
    signers: readonly KeyPair[] = [],
  ): Promise<void> {
    this.#told(phase)
    await confirmed(this.#rpc, [this.#payer, ...signers], instructions, this.#delay)
  }

  #told(phase: DeployPhase): void {
    this.#tell({ phase, done: 0, total: this.#elf.byteLength })
  }

  #bufferAddress(): string {
    return new PublicKey(this.#buffer.publicKey).toBase58()
  }
}
