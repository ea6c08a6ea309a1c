/**
 * Every instruction of the linked text is checked against what the chain's machine (SBPF version 0) runs with the meaning
 * that clang gave it. 32-bit arithmetic is the trap: BPF zero-extends, SBPF sign-extends, so code for a newer `-mcpu` loads,
 * runs and computes wrong numbers.
 */
import { BuildError } from './errors.js'
import { viewOf } from './object.js'

const CLASS = { loadRegister: 1, store: 3, alu32: 4, jump32: 6, alu64: 7 } as const
const OP = { loadWide: 0x18, call: 0x85, callRegister: 0x8d, addImmediate: 0x07, moveRegister: 0xbf } as const
/** Byte swaps are encoded in the 32-bit class and mean the same in both. */
const SWAPS: readonly number[] = [0xd4, 0xdc]
const FRAME_POINTER = 10
export const FRAME_BYTES = 4096

/** Throws `BAD_OPCODE` or `BAD_STACK`. A call of a register keeps the register elsewhere in version 0: this moves it. */
export function checkText(text: Uint8Array): void {
  const view = viewOf(text)
  for (let at = 0; at < text.byteLength; at += 8) {
    const op = view.getUint8(at)
    if (op === OP.loadWide) {
      at += 8
      continue
    }
    const offset = view.getInt16(at + 2, true)
    const reason = refusal(op, offset)
    if (reason !== null) throw BuildError.BAD_OPCODE(at, reason)
    checkFrame(view, at)
    if (op === OP.callRegister) {
      view.setInt32(at + 4, view.getUint8(at + 1) & 15, true)
      view.setUint8(at + 1, 0)
    }
    if (op === OP.call) checkCall(view, at)
  }
}

function refusal(op: number, offset: number): string | null {
  const kind = op & 7
  const mode = op & 0xe0
  if (kind === CLASS.alu32 && !SWAPS.includes(op)) return '32-bit arithmetic, which the chain extends in another way'
  if (kind === CLASS.jump32) return 'a 32-bit comparison, which the chain does not have'
  if (kind === CLASS.store && mode === 0xc0) return 'an atomic operation'
  if (kind === CLASS.loadRegister && mode === 0x80) return 'a load that extends the sign'
  if (kind === CLASS.alu64 && offset !== 0) return 'a signed division or a move that extends the sign'
  return null
}

/** Memory is addressed below the frame pointer directly, or by a copy of it that a constant is added to at once. */
function checkFrame(view: DataView, at: number): void {
  const op = view.getUint8(at)
  const kind = op & 7
  const registers = view.getUint8(at + 1)
  const base = kind === CLASS.loadRegister ? registers >> 4 : registers & 15
  const isMemory = kind >= CLASS.loadRegister && kind <= CLASS.store
  if (isMemory && base === FRAME_POINTER) needFrame(at, view.getInt16(at + 2, true))
  const isCopy = op === OP.moveRegister && registers >> 4 === FRAME_POINTER
  if (!isCopy || at + 16 > view.byteLength) return
  const adds = view.getUint8(at + 8) === OP.addImmediate && (view.getUint8(at + 9) & 15) === (registers & 15)
  if (adds) needFrame(at, view.getInt32(at + 12, true))
}

function needFrame(at: number, offset: number): void {
  if (offset < -FRAME_BYTES || offset >= 0) throw BuildError.BAD_STACK(at, offset)
}

function checkCall(view: DataView, at: number): void {
  const distance = view.getInt32(at + 4, true)
  // -1 stands for a system call, whose name is in the relocation.
  if (distance === -1) return
  const target = at + 8 + 8 * distance
  if (target < 0 || target >= view.byteLength) throw BuildError.BAD_OPCODE(at, 'a call outside the text')
}
