/**
 * Links clang's BPF objects into the one file that Solana's loader takes (SBPF version 0; image.ts writes it).
 *
 * Text comes first, then everything read-only. In version 0 an address is a place in the file plus 2^32, so all references
 * are final here, but for system calls, which the loader binds by name.
 */
import { BuildError } from './errors.js'
import { HEAD_BYTES, writeImage } from './image.js'
import type { SystemCall } from './image.js'
import { FLAG, SECTION, viewOf } from './object.js'
import type { ObjectFile, ObjectSymbol, Section } from './object.js'
import { checkText } from './opcodes.js'
import { SYSTEM_CALLS } from './system-calls.js'

/** Relocation types: clang/llvm `ELFRelocs/BPF.def`. */
const RELOCATION = { loadWide: 1, absolute: 2, call: 10 } as const
const PROGRAM_REGION = 2n ** 32n
const ALIGN = 8

interface Placed {
  readonly object: ObjectFile
  readonly section: Section
  readonly address: bigint
  /** Within text or read-only data. */
  readonly at: number
  /** A view of its place there: the objects stay as they are. */
  readonly data: Uint8Array
}

interface Group {
  readonly placed: readonly Placed[]
  readonly bytes: Uint8Array
}

export interface Linked {
  readonly image: Uint8Array
  readonly textBytes: number
  readonly readOnlyBytes: number
  /** Names, sorted. */
  readonly systemCalls: readonly string[]
}

/** Throws every `BuildError` but `NO_COMPILER`. */
export function link(objects: readonly ObjectFile[], entry = 'entrypoint'): Linked {
  const sections = objects.flatMap((object) => object.sections.map((section) => ({ object, section })))
  const loaded = sections.filter(({ section }) => isLoaded(section))
  for (const { object, section } of loaded) {
    const isWritable = (section.flags & FLAG.write) !== 0 && !section.name.startsWith('.data.rel.ro')
    if (isWritable) throw BuildError.WRITABLE_DATA(object.name, section.name)
  }
  const isText = ({ section }: { section: Section }): boolean => (section.flags & FLAG.exec) !== 0
  const text = place(loaded.filter(isText), HEAD_BYTES)
  if (text.bytes.byteLength === 0) throw BuildError.BAD_OBJECT('the program', 'no code')
  const readOnlyAt = align(HEAD_BYTES + text.bytes.byteLength, 16)
  const readOnly = place(
    loaded.filter((one) => !isText(one)),
    readOnlyAt,
  )
  const linker = new Linker(objects, [...text.placed, ...readOnly.placed])
  const systemCalls = linker.relocate()
  checkText(text.bytes)
  const start = linker.addressOf(entry)
  if (start === null) throw BuildError.UNDEFINED_SYMBOL('the program', entry)
  const image = writeImage({
    text: text.bytes,
    readOnly: readOnly.bytes,
    readOnlyAt,
    entry: { name: entry, at: Number(start - PROGRAM_REGION) },
    systemCalls,
  })
  const names = [...new Set(systemCalls.map(({ name }) => name))].toSorted()
  return { image, textBytes: text.bytes.byteLength, readOnlyBytes: readOnly.bytes.byteLength, systemCalls: names }
}

class Linker {
  readonly #objects: readonly ObjectFile[]
  readonly #placed: ReadonlyMap<Section, Placed>
  readonly #globals = new Map<string, { readonly object: ObjectFile; readonly symbol: ObjectSymbol }>()

  constructor(objects: readonly ObjectFile[], placed: readonly Placed[]) {
    this.#objects = objects
    this.#placed = new Map(placed.map((one) => [one.section, one]))
    for (const object of objects) {
      for (const symbol of object.symbols) {
        if (symbol.isLocal || symbol.section === 0) continue
        const first = this.#globals.get(symbol.name)
        if (first) throw BuildError.DUPLICATE_SYMBOL(symbol.name, first.object.name, object.name)
        this.#globals.set(symbol.name, { object, symbol })
      }
    }
  }

  /** Of a global symbol; null when nobody defines it. */
  addressOf(name: string): bigint | null {
    const found = this.#globals.get(name)
    return found ? this.#address(found.object, found.symbol) : null
  }

  /** Writes every address into the sections and returns the calls that the loader binds. */
  relocate(): SystemCall[] {
    const calls: SystemCall[] = []
    for (const object of this.#objects) {
      for (const relocations of object.sections) {
        const target = this.#placed.get(object.sections[relocations.info] ?? relocations)
        if (!target) continue
        if (relocations.type === SECTION.rela) {
          throw BuildError.BAD_RELOCATION(object.name, 'relocations with addends, which clang does not write for BPF')
        }
        if (relocations.type === SECTION.rel) calls.push(...this.#relocateSection(object, relocations, target))
      }
    }
    return calls.toSorted((a, b) => a.at - b.at)
  }

  #relocateSection(object: ObjectFile, relocations: Section, target: Placed): SystemCall[] {
    const table = viewOf(relocations.data)
    const calls: SystemCall[] = []
    for (let entry = 0; entry < relocations.data.byteLength; entry += 16) {
      const at = Number(table.getBigUint64(entry, true))
      const type = table.getUint32(entry + 8, true)
      const symbol = object.symbols[table.getUint32(entry + 12, true)]
      const where = `${object.name} ${target.section.name}+0x${at.toString(16)}`
      if (!symbol) throw BuildError.BAD_RELOCATION(where, 'a symbol that does not exist')
      const address = symbol.section === 0 ? this.addressOf(symbol.name) : this.#address(object, symbol)
      if (type === RELOCATION.call && address === null) {
        if (!SYSTEM_CALLS.has(symbol.name)) throw BuildError.UNDEFINED_SYMBOL(where, symbol.name)
        needOpcode(target, at, 0x85, where)
        writeCall(target, at, -1, 0)
        calls.push({ at: HEAD_BYTES + target.at + at, name: symbol.name })
        continue
      }
      if (address === null) throw BuildError.UNDEFINED_SYMBOL(where, symbol.name)
      if (type === RELOCATION.call) relocateCall(target, at, address, where)
      else if (type === RELOCATION.loadWide) relocateLoad(target, at, address, where)
      else if (type === RELOCATION.absolute) addTo(target, at, address)
      else throw BuildError.BAD_RELOCATION(where, `type ${type} on ${symbol.name} is not known`)
    }
    return calls
  }

  #address(object: ObjectFile, symbol: ObjectSymbol): bigint {
    const section = object.sections[symbol.section]
    const placed = section && this.#placed.get(section)
    if (!placed) throw BuildError.BAD_OBJECT(object.name, `${symbol.name} lies in a section that is not loaded`)
    return placed.address + BigInt(symbol.value)
  }
}

function isLoaded({ name, flags, data }: Section): boolean {
  return (flags & FLAG.alloc) !== 0 && data.byteLength > 0 && name !== '.eh_frame'
}

function place(given: readonly { object: ObjectFile; section: Section }[], fileOffset: number): Group {
  let size = 0
  const places = given.map((one) => {
    const at = align(size, Math.max(ALIGN, one.section.align))
    size = at + one.section.data.byteLength
    return { ...one, at }
  })
  const bytes = new Uint8Array(align(size, ALIGN))
  const placed = places.map(({ object, section, at }) => {
    const data = bytes.subarray(at, at + section.data.byteLength)
    data.set(section.data)
    return { object, section, at, data, address: PROGRAM_REGION + BigInt(fileOffset + at) }
  })
  return { placed, bytes }
}

/** `lddw`: the address in two halves; clang leaves the addend there. */
function relocateLoad({ data }: Placed, at: number, address: bigint, where: string): void {
  const view = viewOf(data)
  if (view.getUint8(at) !== 0x18) throw BuildError.BAD_RELOCATION(where, 'an address outside a wide load')
  const addend = (BigInt(view.getUint32(at + 12, true)) << 32n) | BigInt(view.getUint32(at + 4, true))
  const value = BigInt.asUintN(64, address + addend)
  view.setUint8(at + 1, view.getUint8(at + 1) & 15)
  view.setUint32(at + 4, Number(value & 0xffffffffn), true)
  view.setUint32(at + 12, Number(value >> 32n), true)
}

/** Calls count instructions from the next one; clang leaves the distance within the symbol, less one. */
function relocateCall(target: Placed, at: number, address: bigint, where: string): void {
  needOpcode(target, at, 0x85, where)
  const within = BigInt(viewOf(target.data).getInt32(at + 4, true) + 1) * 8n
  const distance = (address + within - (target.address + BigInt(at))) / 8n - 1n
  if (distance === -1n) throw BuildError.BAD_RELOCATION(where, 'a call of itself reads as a system call')
  writeCall(target, at, Number(distance), 1)
}

function needOpcode({ data }: Placed, at: number, op: number, where: string): void {
  if (data[at] !== op) throw BuildError.BAD_RELOCATION(where, 'a call relocation on something else')
}

/** `source` 1 marks a call inside the program. */
function writeCall({ data }: Placed, at: number, distance: number, source: 0 | 1): void {
  const view = viewOf(data)
  view.setUint8(at + 1, (view.getUint8(at + 1) & 15) | (source << 4))
  view.setInt32(at + 4, distance, true)
}

function addTo({ data }: Placed, at: number, address: bigint): void {
  const view = viewOf(data)
  view.setBigUint64(at, BigInt.asUintN(64, address + view.getBigUint64(at, true)), true)
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to
}
