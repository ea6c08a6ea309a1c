/**
 * Whether an asking peer is still there. A provider that sends into nothing would learn it from the transport after 13 s
 * and hold a slot for so long. So whoever asks sends an empty packet when it has sent nothing else for a second, and
 * whoever serves gives up after six seconds without a byte. Pure, one step per tick: ticks are counted, not clocks
 * compared, so a machine that slept accuses nobody.
 */
const BEAT_TICKS = 2
export const SILENT_TICKS = 12

export interface Pulse {
  readonly read: number
  readonly written: number
  /** Ticks without a byte in that direction. */
  readonly silent: number
  readonly idle: number
}

export const STILL: Pulse = { read: -1, written: -1, silent: 0, idle: 0 }

export interface Traffic {
  /** Bytes since the connection began. */
  readonly read: number
  readonly written: number
  /** Asks are under way to the peer, or from it. */
  readonly asking: boolean
  readonly serving: boolean
}

export function stepPulse(
  before: Pulse,
  { read, written, asking, serving }: Traffic,
): { readonly pulse: Pulse; readonly act: 'none' | 'beat' | 'lost' } {
  const silent = serving && read === before.read ? before.silent + 1 : 0
  const idle = asking && written === before.written ? before.idle + 1 : 0
  const pulse = { read, written, silent, idle }
  if (silent >= SILENT_TICKS) return { pulse, act: 'lost' }
  return { pulse, act: idle >= BEAT_TICKS ? 'beat' : 'none' }
}
