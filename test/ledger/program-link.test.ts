import assert from 'node:assert/strict'
import test from 'node:test'
import { TransactionInstruction } from '@solana/web3.js'
import fc from 'fast-check'
import { readProgram } from '../../ledger/program/artifacts.js'
import { BuildError } from '../../ledger/program/errors.js'
import { HEAD_BYTES } from '../../ledger/program/image.js'
import { link } from '../../ledger/program/link.js'
import { readObject } from '../../ledger/program/object.js'
import type { ObjectFile, ObjectSymbol, Section } from '../../ledger/program/object.js'
import { World } from './program-world.js'

const EXIT = [0x95, 0, 0, 0, 0, 0, 0, 0]
const CALL = [0x85, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff]
/** `lddw r1, addend`, as clang writes it: the register with a pseudo source. */
const WIDE = (addend: number): number[] => [0x18, 0x11, 0, 0, addend, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
const ALLOC = 2
const CODE = 6
const PROGRAM_REGION = 2n ** 32n

interface Relocation {
  readonly at: number
  readonly type: number
  readonly symbol: number
}

function section(name: string, flags: number, data: readonly number[], extra: Partial<Section> = {}): Section {
  return { name, type: 1, flags, align: 8, info: 0, data: Uint8Array.from(data), ...extra }
}

function symbol(name: string, where: number, value = 0, isLocal = false): ObjectSymbol {
  return { name, isLocal, section: where, value }
}

const NONE = symbol('', 0)

/** Section 1 is the text, 2 its relocations, 3 and later what is given. */
function object(
  code: readonly number[],
  symbols: readonly ObjectSymbol[],
  relocations: readonly Relocation[] = [],
  others: readonly Section[] = [],
  type = 9,
): ObjectFile {
  const words = relocations.flatMap(({ at, type: kind, symbol: index }) => [at, 0, kind, index])
  const table = [...new Uint8Array(Uint32Array.from(words).buffer)]
  const rel = section('.rel.text', 0, table, { type, info: 1 })
  const sections = [section('', 0, []), section('.text', CODE, code), rel, ...others]
  return { name: 'a.o', sections, symbols: [NONE, ...symbols] }
}

const ENTRY = symbol('entrypoint', 1)
const main = (code: readonly number[]): ObjectFile => object([...code, ...EXIT], [ENTRY])

function textOf(image: Uint8Array): DataView {
  return new DataView(image.buffer, image.byteOffset + HEAD_BYTES)
}

test('a linked program runs on the chain', () => {
  const world = new World(link([main([0xb7, 0, 0, 0, 42, 0, 0, 0])]).image)
  const call = new TransactionInstruction({ programId: world.program, keys: [], data: Buffer.alloc(0) })
  assert.equal(world.send(call).error, 'Custom(42)')
})

test('an address is a place in the file above 2^32, with what clang added to it', () => {
  const constants = section('.rodata', ALLOC, [1, 2, 3, 4, 5, 6, 7, 8])
  const code = [...WIDE(5), ...EXIT]
  const { image, readOnlyBytes } = link([
    object(code, [ENTRY, symbol('', 3, 0, true)], [{ at: 0, type: 1, symbol: 2 }], [constants]),
  ])
  const text = textOf(image)
  const address = BigInt(text.getUint32(4, true)) | (BigInt(text.getUint32(12, true)) << 32n)
  assert.equal(readOnlyBytes, 8)
  assert.equal(image[Number(address - PROGRAM_REGION)], 6, 'the sixth byte of the constants')
  assert.equal(text.getUint8(1), 0x01, 'the pseudo source is gone')
})

test('an address among the constants is written there', () => {
  const pointer = section('.data.rel.ro', ALLOC | 1, [4, 0, 0, 0, 0, 0, 0, 0])
  const relocation = [0, 0, 2, 1].flatMap((value) => [value, 0, 0, 0])
  const constants = object(EXIT, [ENTRY], [], [pointer, section('.rel', 0, relocation, { type: 9, info: 3 })])
  const { image } = link([constants])
  const at = HEAD_BYTES + 8
  const view = new DataView(image.buffer, image.byteOffset)
  const place = (at + 15) & ~15
  assert.equal(view.getBigUint64(place, true), PROGRAM_REGION + BigInt(HEAD_BYTES) + 4n)
})

test('a call between objects counts instructions, one in its own object too', () => {
  const far: ObjectFile = { ...object(EXIT, [symbol('far', 1)]), name: 'b.o' }
  const code = [...CALL, ...CALL, ...EXIT, ...EXIT]
  const relocations = [
    { at: 0, type: 10, symbol: 2 },
    { at: 8, type: 10, symbol: 3 },
  ]
  const { image } = link([object(code, [ENTRY, symbol('far', 0), symbol('near', 1, 24, true)], relocations), far])
  const text = textOf(image)
  assert.deepEqual([text.getInt32(4, true), text.getInt32(12, true)], [3, 1])
  assert.equal(text.getUint8(1) >> 4, 1)
})

test('a system call is left to the loader, by name', () => {
  const { image, systemCalls } = link([
    object([...CALL, ...EXIT], [ENTRY, symbol('sol_log_', 0)], [{ at: 0, type: 10, symbol: 2 }]),
  ])
  assert.deepEqual(systemCalls, ['sol_log_'])
  assert.equal(textOf(image).getInt32(4, true), -1)
  assert.ok(Buffer.from(image).includes('\0sol_log_\0'))
})

test('a call of a register moves the register to where version 0 has it', () => {
  const { image } = link([main([0x8d, 0x03, 0, 0, 0, 0, 0, 0])])
  assert.deepEqual([textOf(image).getUint8(1), textOf(image).getInt32(4, true)], [0, 3])
})

test('linking twice gives the same bytes and leaves the objects as they were', () => {
  const one = object([...CALL, ...EXIT, ...EXIT], [ENTRY, symbol('near', 1, 16)], [{ at: 0, type: 10, symbol: 2 }])
  assert.deepEqual(link([one]).image, link([one]).image)
})

const refused: readonly (readonly [string, string, readonly ObjectFile[]])[] = [
  ['a relocation of an unknown kind', 'BAD_RELOCATION', [object(EXIT, [ENTRY], [{ at: 0, type: 3, symbol: 1 }])]],
  ['a relocation with an addend', 'BAD_RELOCATION', [object(EXIT, [ENTRY], [{ at: 0, type: 1, symbol: 1 }], [], 4)]],
  ['a relocation of a missing symbol', 'BAD_RELOCATION', [object(EXIT, [ENTRY], [{ at: 0, type: 1, symbol: 9 }])]],
  ['an address outside a wide load', 'BAD_RELOCATION', [object(EXIT, [ENTRY], [{ at: 0, type: 1, symbol: 1 }])]],
  ['a call relocation on no call', 'BAD_RELOCATION', [object(EXIT, [ENTRY], [{ at: 0, type: 10, symbol: 1 }])]],
  [
    'a call of itself, which the loader would take for a system call',
    'BAD_RELOCATION',
    [object([...CALL, ...EXIT], [ENTRY, symbol('same', 1, 0, true)], [{ at: 0, type: 10, symbol: 2 }])],
  ],
  [
    'a function that nobody defines',
    'UNDEFINED_SYMBOL',
    [object([...CALL, ...EXIT], [ENTRY, symbol('memcpy', 0)], [{ at: 0, type: 10, symbol: 2 }])],
  ],
  [
    'data that nobody defines',
    'UNDEFINED_SYMBOL',
    [object([...WIDE(0), ...EXIT], [ENTRY, symbol('table', 0)], [{ at: 0, type: 1, symbol: 2 }])],
  ],
  ['no entry point', 'UNDEFINED_SYMBOL', [object(EXIT, [])]],
  ['no code', 'BAD_OBJECT', [object([], [ENTRY])]],
  ['two entry points', 'DUPLICATE_SYMBOL', [main([]), main([])]],
  ['a variable', 'WRITABLE_DATA', [object(EXIT, [ENTRY], [], [section('.data', ALLOC | 1, [1])])]],
  [
    'a symbol in a section that is not loaded',
    'BAD_OBJECT',
    [
      object(
        [...WIDE(0), ...EXIT],
        [ENTRY, symbol('x', 3)],
        [{ at: 0, type: 1, symbol: 2 }],
        [section('.notes', 0, [1])],
      ),
    ],
  ],
  ['32-bit arithmetic', 'BAD_OPCODE', [main([0x04, 0, 0, 0, 1, 0, 0, 0])]],
  ['a 32-bit comparison', 'BAD_OPCODE', [main([0x16, 0, 0, 0, 1, 0, 0, 0])]],
  ['an atomic addition', 'BAD_OPCODE', [main([0xdb, 0x10, 0, 0, 0, 0, 0, 0])]],
  ['a load that extends the sign', 'BAD_OPCODE', [main([0x81, 0x10, 0, 0, 0, 0, 0, 0])]],
  ['a signed division', 'BAD_OPCODE', [main([0x3f, 0x10, 1, 0, 0, 0, 0, 0])]],
  ['a call out of the text', 'BAD_OPCODE', [main([0x85, 0x10, 0, 0, 9, 0, 0, 0])]],
  ['a store below the frame', 'BAD_STACK', [main([0x7b, 0x1a, 0xff, 0xef, 0, 0, 0, 0])]],
  ['a load below the frame', 'BAD_STACK', [main([0x79, 0xa1, 0xff, 0xef, 0, 0, 0, 0])]],
  ['an array above the frame', 'BAD_STACK', [main([0x7b, 0x1a, 8, 0, 0, 0, 0, 0])]],
  [
    'an array that begins below the frame',
    'BAD_STACK',
    [main([0xbf, 0xa1, 0, 0, 0, 0, 0, 0, 0x07, 1, 0, 0, 0xff, 0xef, 0xff, 0xff])],
  ],
]

for (const [what, code, objects] of refused) {
  test(`refused: ${what}`, () => {
    assert.throws(() => link(objects), { code })
  })
}

test('byte swaps and a frame that is used to its last byte are taken', () => {
  link([main([0xdc, 1, 0, 0, 64, 0, 0, 0])])
  link([main([0x7b, 0x1a, 0, 0xf0, 0, 0, 0, 0])])
  link([main([0xbf, 0xa1, 0, 0, 0, 0, 0, 0, 0x07, 1, 0, 0, 0, 0xf0, 0xff, 0xff])])
})

test('what is no object is refused, wherever it is cut', async () => {
  const program = await readProgram()
  assert.throws(() => readObject('a.o', program), { code: 'BAD_OBJECT' })
  // Called relocatable, it has everything but a symbol table.
  const relocatable = program.slice()
  relocatable[16] = 1
  fc.assert(
    fc.property(fc.nat(relocatable.length), fc.nat(200), fc.nat(255), (end, at, byte) => {
      const bytes = relocatable.slice(0, end)
      if (at < bytes.length) bytes[at] = byte
      assert.throws(() => readObject('a.o', bytes), BuildError)
    }),
    { numRuns: 300 },
  )
})
