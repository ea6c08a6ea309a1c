/**
 * The file that Solana's loader takes for SBPF version 0: a shared object in which an address is a place in the file, and
 * in which each system call is a dynamic relocation that names it.
 *
 *   ELF header | 3 program headers | .text | .rodata | .dynamic | .dynsym | .dynstr | .rel.dyn | .shstrtab | sections
 */
import { viewOf } from './object.js'

export interface SystemCall {
  /** Place of the call in the file. */
  readonly at: number
  readonly name: string
}

export interface Parts {
  readonly text: Uint8Array
  readonly readOnly: Uint8Array
  readonly readOnlyAt: number
  readonly entry: { readonly name: string; readonly at: number }
  readonly systemCalls: readonly SystemCall[]
}

interface OutSection {
  readonly name: string
  readonly type: number
  readonly flags: number
  readonly data: Uint8Array
  readonly align: number
  /** Name of the section that its header links to. */
  readonly link?: string
  readonly info?: number
  readonly entrySize?: number
}

const ELF_HEADER = 64
const PROGRAM_HEADER = 56
const SECTION_HEADER = 64
/** Where the text begins. */
export const HEAD_BYTES = ELF_HEADER + 3 * PROGRAM_HEADER

const TYPE = { bits: 1, strings: 3, dynamic: 6, rel: 9, dynamicSymbols: 11 } as const
const ALLOC = 2
const CALL_RELOCATION = 10
const TAG = { null: 0, strings: 5, symbols: 6, stringBytes: 10, symbolBytes: 11, rel: 17, relBytes: 18, relEntry: 19 }

export function writeImage({ text, readOnly, readOnlyAt, entry, systemCalls }: Parts): Uint8Array {
  const names = [...new Set(systemCalls.map(({ name }) => name))].toSorted()
  const strings = stringTable([entry.name, ...names])
  const relocations = words(
    systemCalls.map(({ at, name }) => [BigInt(at), (BigInt(2 + names.indexOf(name)) << 32n) | BigInt(CALL_RELOCATION)]),
  )
  const dynamic = new Uint8Array(16 * (relocations.byteLength > 0 ? 8 : 5))
  const sections: OutSection[] = [
    { name: '.text', type: TYPE.bits, flags: ALLOC | 4, data: text, align: 8 },
    { name: '.rodata', type: TYPE.bits, flags: ALLOC, data: readOnly, align: 16 },
    { name: '.dynamic', type: TYPE.dynamic, flags: ALLOC | 1, data: dynamic, align: 8, link: '.dynstr', entrySize: 16 },
    {
      name: '.dynsym',
      type: TYPE.dynamicSymbols,
      flags: ALLOC,
      data: symbolTable(strings, entry, names),
      align: 8,
      link: '.dynstr',
      info: 1,
      entrySize: 24,
    },
    { name: '.dynstr', type: TYPE.strings, flags: ALLOC, data: strings.bytes, align: 1 },
    { name: '.rel.dyn', type: TYPE.rel, flags: ALLOC, data: relocations, align: 8, link: '.dynsym', entrySize: 16 },
  ].filter(({ data }) => data.byteLength > 0)
  const sectionNames = stringTable([...sections.map(({ name }) => name), '.shstrtab'])
  sections.push({ name: '.shstrtab', type: TYPE.strings, flags: 0, data: sectionNames.bytes, align: 1 })

  const at = new Map<string, number>()
  let end = HEAD_BYTES
  for (const { name, data, align } of sections) {
    const place = name === '.rodata' ? readOnlyAt : alignTo(end, align)
    at.set(name, place)
    end = place + data.byteLength
  }
  const where = (name: string): number => at.get(name) ?? 0
  dynamic.set(dynamicEntries(where, strings.bytes.byteLength, relocations.byteLength))
  const headersAt = alignTo(end, 8)
  const out = new Uint8Array(headersAt + SECTION_HEADER * (sections.length + 1))
  out.set(elfHeader(entry.at, headersAt, sections.length + 1))
  const codeEnd = readOnly.byteLength > 0 ? readOnlyAt + readOnly.byteLength : HEAD_BYTES + text.byteLength
  const dynamicEnd =
    relocations.byteLength > 0
      ? where('.rel.dyn') + relocations.byteLength
      : where('.dynstr') + strings.bytes.byteLength
  out.set(programHeader(1, 5, HEAD_BYTES, codeEnd - HEAD_BYTES, 4096), ELF_HEADER)
  const symbolsAt = where('.dynsym')
  out.set(programHeader(1, 4, symbolsAt, dynamicEnd - symbolsAt, 4096), ELF_HEADER + PROGRAM_HEADER)
  out.set(programHeader(2, 6, where('.dynamic'), dynamic.byteLength, 8), ELF_HEADER + 2 * PROGRAM_HEADER)
  sections.forEach((section, index) => {
    out.set(section.data, where(section.name))
    const link = section.link === undefined ? 0 : 1 + sections.findIndex(({ name }) => name === section.link)
    const header = sectionHeader(section, sectionNames.at(section.name), where(section.name), link)
    out.set(header, headersAt + SECTION_HEADER * (index + 1))
  })
  return out
}

function dynamicEntries(where: (name: string) => number, stringBytes: number, relBytes: number): Uint8Array {
  const rel = [
    [TAG.rel, where('.rel.dyn')],
    [TAG.relBytes, relBytes],
    [TAG.relEntry, 16],
  ]
  const always = [
    [TAG.symbols, where('.dynsym')],
    [TAG.symbolBytes, 24],
    [TAG.strings, where('.dynstr')],
    [TAG.stringBytes, stringBytes],
    [TAG.null, 0],
  ]
  return words([...(relBytes > 0 ? rel : []), ...always].map((pair) => pair.map(BigInt)))
}

/** Symbol 0 is empty, 1 the entry point, then the system calls, undefined. */
function symbolTable(strings: StringTable, entry: Parts['entry'], names: readonly string[]): Uint8Array {
  const out = new Uint8Array(24 * (2 + names.length))
  const view = viewOf(out)
  view.setUint32(24, strings.at(entry.name), true)
  view.setUint8(28, 0x12)
  view.setUint16(30, 1, true)
  view.setBigUint64(32, BigInt(entry.at), true)
  names.forEach((name, index) => {
    view.setUint32(48 + 24 * index, strings.at(name), true)
    view.setUint8(52 + 24 * index, 0x10)
  })
  return out
}

function elfHeader(entry: number, sectionsAt: number, sectionCount: number): Uint8Array {
  const out = new Uint8Array(ELF_HEADER)
  const view = viewOf(out)
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1])
  view.setUint16(16, 3, true)
  view.setUint16(18, 247, true)
  view.setUint32(20, 1, true)
  view.setBigUint64(24, BigInt(entry), true)
  view.setBigUint64(32, BigInt(ELF_HEADER), true)
  view.setBigUint64(40, BigInt(sectionsAt), true)
  const sizes = [ELF_HEADER, PROGRAM_HEADER, 3, SECTION_HEADER, sectionCount, sectionCount - 1]
  sizes.forEach((value, index) => view.setUint16(52 + 2 * index, value, true))
  return out
}

function programHeader(type: number, flags: number, at: number, size: number, align: number): Uint8Array {
  const head = new Uint8Array(8)
  viewOf(head).setUint32(0, type, true)
  viewOf(head).setUint32(4, flags, true)
  return Buffer.concat([head, words([[at, at, at, size, size, align].map(BigInt)])])
}

function sectionHeader(section: OutSection, name: number, at: number, link: number): Uint8Array {
  const out = new Uint8Array(SECTION_HEADER)
  const view = viewOf(out)
  view.setUint32(0, name, true)
  view.setUint32(4, section.type, true)
  const isLoaded = (section.flags & ALLOC) !== 0
  out.set(words([[section.flags, isLoaded ? at : 0, at, section.data.byteLength].map(BigInt)]), 8)
  view.setUint32(40, link, true)
  view.setUint32(44, section.info ?? 0, true)
  out.set(words([[section.align, section.entrySize ?? 0].map(BigInt)]), 48)
  return out
}

interface StringTable {
  readonly bytes: Uint8Array
  at(name: string): number
}

function stringTable(names: readonly string[]): StringTable {
  const text = `\0${names.join('\0')}\0`
  return { bytes: Buffer.from(text, 'latin1'), at: (name) => text.indexOf(`\0${name}\0`) + 1 }
}

function words(rows: readonly (readonly bigint[])[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(rows.flat()).buffer)
}

function alignTo(value: number, to: number): number {
  return Math.ceil(value / to) * to
}
