/**
 * Fixed-size fields, little endian, one after the other: what the program's C structs and instruction arguments are made
 * of. Every struct is laid out so that integers fall on their own alignment and no padding exists.
 */
import { PublicKey } from '@solana/web3.js'
import { lamports } from '../../amount.js'
import type { Lamports } from '../../amount.js'
import { LedgerError } from '../../errors.js'

/** The type's name in an IDL; `[u8; 32]` as `{ array: ['u8', 32] }`. */
export type IdlType = string | { readonly array: readonly [IdlType, number] }

export interface Field<T> {
  readonly size: number
  readonly idl: IdlType
  read(view: DataView, at: number): T
  write(view: DataView, at: number, value: T): void
}

export interface Struct<T> {
  readonly size: number
  /** Names and types in the order of their bytes. */
  readonly fields: readonly { readonly name: string; readonly offset: number; readonly idl: IdlType }[]
  offsetOf(name: keyof T & string): number
  /** Throws `BAD_ENCODING` for a value that its field cannot hold. */
  encode(value: T): Uint8Array
  /** Throws `BAD_ENCODING` for another length. */
  decode(bytes: Uint8Array): T
}

export const u16 = int(2, 'u16', (view, at) => view.getUint16(at, true), set('setUint16'))
export const u32 = int(4, 'u32', (view, at) => view.getUint32(at, true), set('setUint32'))

export const u64: Field<bigint> = {
  size: 8,
  idl: 'u64',
  read: (view, at) => view.getBigUint64(at, true),
  write(view, at, value) {
    if (value !== BigInt.asUintN(64, value)) throw LedgerError.BAD_ENCODING(`${value} is no u64`)
    view.setBigUint64(at, value, true)
  },
}

export const i64: Field<bigint> = {
  size: 8,
  idl: 'i64',
  read: (view, at) => view.getBigInt64(at, true),
  write(view, at, value) {
    if (value !== BigInt.asIntN(64, value)) throw LedgerError.BAD_ENCODING(`${value} is no i64`)
    view.setBigInt64(at, value, true)
  },
}

export const amount: Field<Lamports> = { ...u64, read: (view, at) => lamports(u64.read(view, at)) }

export const bytes32: Field<Uint8Array> = {
  size: 32,
  idl: { array: ['u8', 32] },
  read: (view, at) => copy(view, at, 32),
  write: (view, at, value) => put(view, at, value),
}

export const address: Field<PublicKey> = {
  size: 32,
  idl: 'pubkey',
  read: (view, at) => new PublicKey(copy(view, at, 32)),
  write: (view, at, value) => put(view, at, value.toBytes()),
}

/** `count` places; those after the last address are zero. Reads all places, also the empty ones. */
export function addresses(count: number): Field<readonly PublicKey[]> {
  return {
    size: 32 * count,
    idl: { array: ['pubkey', count] },
    read: (view, at) => Array.from({ length: count }, (_, index) => address.read(view, at + 32 * index)),
    write(view, at, values) {
      if (values.length > count) throw LedgerError.BAD_ENCODING(`${values.length} addresses in ${count} places`)
      values.forEach((value, index) => address.write(view, at + 32 * index, value))
    },
  }
}

export function struct<T>(fields: { readonly [K in keyof T]: Field<T[K]> }): Struct<T> {
  const names = Object.keys(fields) as (keyof T & string)[]
  const offsets = new Map<keyof T, number>()
  let size = 0
  for (const name of names) {
    offsets.set(name, size)
    size += fields[name].size
  }
  const offsetOf = (name: keyof T): number => offsets.get(name) ?? 0
  return {
    size,
    fields: names.map((name) => ({ name, offset: offsetOf(name), idl: fields[name].idl })),
    offsetOf,
    encode(value) {
      const out = new Uint8Array(size)
      const view = new DataView(out.buffer)
      for (const name of names) fields[name].write(view, offsetOf(name), value[name])
      return out
    },
    decode(bytes) {
      if (bytes.byteLength !== size) throw LedgerError.BAD_ENCODING(`${bytes.byteLength} bytes instead of ${size}`)
      const view = new DataView(bytes.buffer, bytes.byteOffset, size)
      const value = {} as { -readonly [K in keyof T]: T[K] }
      for (const name of names) value[name] = fields[name].read(view, offsetOf(name))
      return value
    },
  }
}

function int(
  size: 2 | 4,
  idl: string,
  read: (view: DataView, at: number) => number,
  write: (view: DataView, at: number, value: number) => void,
): Field<number> {
  return {
    size,
    idl,
    read,
    write(view, at, value) {
      const fits = Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size)
      if (!fits) throw LedgerError.BAD_ENCODING(`${value} is no ${idl}`)
      write(view, at, value)
    },
  }
}

function set(method: 'setUint16' | 'setUint32'): (view: DataView, at: number, value: number) => void {
  return (view, at, value) => view[method](at, value, true)
}

function copy(view: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length).slice()
}

function put(view: DataView, at: number, value: Uint8Array): void {
  if (value.byteLength !== 32) throw LedgerError.BAD_ENCODING(`${value.byteLength} bytes instead of 32`)
  new Uint8Array(view.buffer, view.byteOffset + at, 32).set(value)
}
