/**
 * The program once more, as a person would explain it: big integers, whole values, no bytes but the layout's. What it says
 * of a transaction is whether it goes through and what everybody has afterwards; which error comes first is its own affair.
 */
import { Ed25519Program, PublicKey, SystemProgram, SYSVAR_INSTRUCTIONS_PUBKEY } from '@solana/web3.js'
import type { AccountMeta, TransactionInstruction } from '@solana/web3.js'
import { lamports } from '../../ledger/amount.js'
import type { Lamports } from '../../ledger/amount.js'
import * as layouts from '../../ledger/chain/layout/accounts.js'
import type * as kinds from '../../ledger/chain/layout/accounts.js'
import type { Struct } from '../../ledger/chain/layout/fields.js'

export interface Bodies {
  readonly config: kinds.ConfigAccount
  readonly provider: kinds.ProviderAccount
  readonly offer: kinds.OfferAccount
  readonly channel: kinds.ChannelAccount
  readonly order: kinds.OrderAccount
  readonly stake: kinds.StakeAccount
}

export type Kind = keyof Bodies

export interface Entry {
  readonly lamports: bigint
  /** At most one; none for an account of the system program. */
  readonly body: Partial<Bodies>
}

const LAYOUTS: { readonly [K in Kind]: kinds.AccountLayout<Bodies[K]> } = {
  config: layouts.CONFIG,
  provider: layouts.PROVIDER,
  offer: layouts.OFFER,
  channel: layouts.CHANNEL,
  order: layouts.ORDER,
  stake: layouts.STAKE,
}
const KINDS = Object.keys(LAYOUTS) as Kind[]

/** Where the accounts of this test lie, found once. */
export interface Addresses {
  of(seeds: readonly (string | Uint8Array)[]): { readonly key: PublicKey; readonly bump: number }
}

/** By the number of the instruction. */
export type Rules = ReadonlyMap<number, (call: Call) => void>

/** The reason is for whoever debugs the model. */
export class Refused extends Error {}

export function need(condition: boolean, reason: string): asserts condition {
  if (!condition) throw new Refused(reason)
}

export class Model {
  readonly addresses: Addresses
  readonly program: PublicKey
  readonly #rules: Rules
  readonly #rent: (bytes: number) => bigint
  #accounts = new Map<string, Entry>()
  slot = 0n
  now = 0n

  constructor(program: PublicKey, rules: Rules, addresses: Addresses, rent: (bytes: number) => bigint) {
    this.#rules = rules
    this.program = program
    this.addresses = addresses
    this.#rent = rent
  }

  rent(bytes: number): bigint {
    return this.#rent(bytes)
  }

  entry(key: PublicKey): Entry {
    return this.#accounts.get(id(key)) ?? NOTHING
  }

  set(key: PublicKey, change: Partial<Entry>): void {
    this.#accounts.set(id(key), { ...this.entry(key), ...change })
  }

  /** The account as its bytes must be. */
  bytes(key: PublicKey): Uint8Array {
    const { body } = this.entry(key)
    const kind = KINDS.find((name) => body[name] !== undefined)
    return kind === undefined ? new Uint8Array() : encode(kind, body)
  }

  total(): bigint {
    let sum = 0n
    for (const entry of this.#accounts.values()) sum += entry.lamports
    return sum
  }

  move(from: PublicKey, to: PublicKey, amount: bigint): void {
    need(this.entry(from).lamports >= amount, 'not enough lamports')
    this.set(from, { lamports: this.entry(from).lamports - amount })
    this.set(to, { lamports: this.entry(to).lamports + amount })
  }

  /** All or nothing; the reason of a refusal, or null. */
  transact(instructions: readonly TransactionInstruction[], areSignaturesGood: boolean): string | null {
    const before = new Map(this.#accounts)
    try {
      need(areSignaturesGood, 'the precompile refuses')
      const flags = merged(instructions)
      instructions.forEach((one, index) => this.#execute(one, instructions[index - 1] ?? null, flags))
      for (const key of instructions.flatMap(({ keys }) => keys)) this.#needRent(key.pubkey, before)
      return null
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.#accounts = before
      return error.message
    }
  }

  #execute(
    { programId, keys: given, data }: TransactionInstruction,
    previous: TransactionInstruction | null,
    flags: ReadonlyMap<string, AccountMeta>,
  ): void {
    const keys = given.map((one) => flags.get(id(one.pubkey)) ?? one)
    if (programId.equals(Ed25519Program.programId)) return
    if (programId.equals(SystemProgram.programId)) {
      const [from, to] = keys
      need(from !== undefined && to !== undefined, 'a transfer')
      this.move(from.pubkey, to.pubkey, data.readBigUInt64LE(4))
      return
    }
    const rule = this.#rules.get(data[0] ?? -1)
    need(rule !== undefined, 'no such instruction')
    rule(new Call(this, keys, data.subarray(1), previous))
  }

  /** The runtime lets nobody leave an account with something, but less than the rent. */
  #needRent(key: PublicKey, before: ReadonlyMap<string, Entry>): void {
    const { lamports: amount } = this.entry(key)
    const changed = before.get(id(key))?.lamports !== amount
    need(!changed || amount === 0n || amount >= this.rent(this.bytes(key).byteLength), 'below the rent')
  }
}

/** One instruction: its accounts by place. */
export class Call {
  readonly model: Model
  readonly keys: readonly AccountMeta[]
  readonly previous: TransactionInstruction | null
  readonly #data: Uint8Array

  constructor(model: Model, keys: readonly AccountMeta[], data: Uint8Array, previous: TransactionInstruction | null) {
    this.model = model
    this.keys = keys
    this.previous = previous
    this.#data = data
  }

  args<T>(struct: Struct<T>): T {
    need(this.#data.byteLength === struct.size, 'length of the arguments')
    return struct.decode(this.#data)
  }

  key(place: number): PublicKey {
    const meta = this.keys[place]
    need(meta !== undefined, 'an account is missing')
    return meta.pubkey
  }

  count(count: number): void {
    need(this.keys.length === count, 'number of accounts')
  }

  signed(place: number): PublicKey {
    need(
      this.keys.some((meta) => meta.isSigner && meta.pubkey.equals(this.key(place))),
      'a signature',
    )
    return this.key(place)
  }

  writable(place: number): PublicKey {
    const key = this.key(place)
    need(
      this.keys.some((meta) => meta.isWritable && meta.pubkey.equals(key)),
      'writable',
    )
    need(!key.equals(SystemProgram.programId) && !key.equals(SYSVAR_INSTRUCTIONS_PUBKEY), 'never writable')
    return key
  }

  system(place: number): void {
    need(this.key(place).equals(SystemProgram.programId), 'the system program')
  }

  ours<K extends Kind>(place: number, kind: K): Bodies[K] {
    const key = this.key(place)
    const body = this.model.entry(key).body[kind]
    need(body !== undefined, `a ${kind}`)
    need(this.keys.filter(({ pubkey }) => pubkey.equals(key)).length === 1, 'named once')
    return body
  }

  changing<K extends Kind>(place: number, kind: K): Bodies[K] {
    this.writable(place)
    return this.ours(place, kind)
  }

  update<K extends Kind>(place: number, kind: K, change: Partial<Bodies[K]>): void {
    const body = this.model.entry(this.key(place)).body[kind]
    need(body !== undefined, `a ${kind}`)
    this.model.set(this.key(place), { body: { [kind]: { ...body, ...change } } })
  }

  /** The account's rent and `deposit` come from the payer, less what lies there. */
  create<K extends Kind>(
    payer: number,
    place: number,
    kind: K,
    seeds: readonly (string | Uint8Array)[],
    value: Omit<Bodies[K], keyof kinds.Header>,
    deposit = 0n,
  ): void {
    const { key, bump } = this.model.addresses.of(seeds)
    need(key.equals(this.writable(place)), 'the address of the seeds')
    need(isEmpty(this.model.entry(key)), 'exists already')
    const missing = this.model.rent(LAYOUTS[kind].size) - this.model.entry(key).lamports
    this.pay(payer, place, deposit + (missing > 0n ? missing : 0n))
    this.model.set(key, { body: { [kind]: { bump, phase: 0, ...value } } })
  }

  /** By the system program: out of an account of its own that signs. */
  pay(from: number, to: number, amount: bigint): void {
    if (amount === 0n) return
    need(isEmpty(this.model.entry(this.signed(from))), 'an account of the system program')
    this.model.move(this.writable(from), this.writable(to), amount)
  }

  destroy(place: number, to: number): void {
    const { lamports: all } = this.model.entry(this.key(place))
    this.model.move(this.key(place), this.writable(to), all)
    this.model.set(this.key(place), { body: {} })
  }
}

export const NO_KEY = PublicKey.default
const NOTHING: Entry = { lamports: 0n, body: {} }

export function plus(a: Lamports, b: bigint): Lamports {
  need(a + b < 2n ** 64n, 'overflow')
  return lamports(a + b)
}

export function isEmpty({ body }: Entry): boolean {
  return Object.keys(body).length === 0
}

export function id(key: PublicKey): string {
  let text = IDS.get(key)
  if (text === undefined) IDS.set(key, (text = Buffer.from(key.toBytes()).toString('latin1')))
  return text
}

/** A transaction has one set of flags for each account, whichever instruction asked for it. */
function merged(instructions: readonly TransactionInstruction[]): ReadonlyMap<string, AccountMeta> {
  const flags = new Map<string, AccountMeta>()
  for (const { pubkey, isSigner, isWritable } of instructions.flatMap(({ keys }) => keys)) {
    const known = flags.get(id(pubkey))
    const either = {
      isSigner: isSigner || known?.isSigner === true,
      isWritable: isWritable || known?.isWritable === true,
    }
    flags.set(id(pubkey), { pubkey, ...either })
  }
  return flags
}

const IDS = new WeakMap<PublicKey, string>()

function encode<K extends Kind>(kind: K, body: Partial<Bodies>): Uint8Array {
  const value = body[kind]
  return value === undefined ? new Uint8Array() : LAYOUTS[kind].encode(value)
}
