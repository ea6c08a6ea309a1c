/**
 * Relocatable objects as clang writes them for `-target bpf`: ELF64, little endian (System V gABI; machine 247).
 */
import { BuildError } from './errors.js'

export interface Section {
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly align: number
  /** For relocations: the section that they change. */
  readonly info: number
  readonly data: Uint8Array
}

export interface ObjectSymbol {
  readonly name: string
  readonly isLocal: boolean
  /** Index of its section; 0 = undefined here. */
  readonly section: number
  readonly value: number
}

export interface ObjectFile {
  readonly name: string
  readonly sections: readonly Section[]
  readonly symbols: readonly ObjectSymbol[]
}

export const SECTION = { symbols: 2, rela: 4, nobits: 8, rel: 9 } as const
export const FLAG = { write: 1, alloc: 2, exec: 4 } as const
const MACHINE_BPF = 247
const SECTION_HEADER = 64
const SYMBOL = 24

/** Throws `BAD_OBJECT`. */
export function readObject(name: string, bytes: Uint8Array): ObjectFile {
  const view = viewOf(bytes)
  const isElf = bytes.byteLength >= 64 && view.getUint32(0) === 0x7f454c46 && bytes[4] === 2 && bytes[5] === 1
  if (!isElf) throw BuildError.BAD_OBJECT(name, 'no little-endian ELF64')
  if (view.getUint16(16, true) !== 1 || view.getUint16(18, true) !== MACHINE_BPF) {
    throw BuildError.BAD_OBJECT(name, 'no relocatable BPF object')
  }
  const headers = Number(view.getBigUint64(40, true))
  const count = view.getUint16(60, true)
  const namesAt = headers + SECTION_HEADER * view.getUint16(62, true)
  try {
    const names = contents(bytes, view, namesAt)
    const sections = Array.from({ length: count }, (_, index) => {
      const at = headers + SECTION_HEADER * index
      return {
        name: text(names, view.getUint32(at, true)),
        type: view.getUint32(at + 4, true),
        flags: Number(view.getBigUint64(at + 8, true)),
        align: Math.max(1, Number(view.getBigUint64(at + 48, true))),
        info: view.getUint32(at + 44, true),
        data: contents(bytes, view, at),
      }
    })
    const table = sections.findIndex(({ type }) => type === SECTION.symbols)
    if (table < 0) throw BuildError.BAD_OBJECT(name, 'no symbol table')
    const strings = sections[view.getUint32(headers + SECTION_HEADER * table + 40, true)]?.data ?? new Uint8Array()
    return { name, sections, symbols: symbols(sections[table]?.data ?? new Uint8Array(), strings) }
  } catch (error) {
    if (error instanceof RangeError) throw BuildError.BAD_OBJECT(name, 'cut off')
    throw error
  }
}

function symbols(table: Uint8Array, strings: Uint8Array): ObjectSymbol[] {
  const view = viewOf(table)
  return Array.from({ length: Math.floor(table.byteLength / SYMBOL) }, (_, index) => {
    const at = SYMBOL * index
    return {
      name: text(strings, view.getUint32(at, true)),
      isLocal: view.getUint8(at + 4) >> 4 === 0,
      section: view.getUint16(at + 6, true),
      value: Number(view.getBigUint64(at + 8, true)),
    }
  })
}

function contents(bytes: Uint8Array, view: DataView, header: number): Uint8Array {
  if (view.getUint32(header + 4, true) === SECTION.nobits) return new Uint8Array()
  const at = Number(view.getBigUint64(header + 24, true))
  const size = Number(view.getBigUint64(header + 32, true))
  if (at + size > bytes.byteLength) throw new RangeError('section beyond the file')
  return bytes.slice(at, at + size)
}

function text(strings: Uint8Array, at: number): string {
  const end = strings.indexOf(0, at)
  return Buffer.from(strings.subarray(at, end < 0 ? undefined : end)).toString('latin1')
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
