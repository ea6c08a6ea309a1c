/** Times, ages, sizes and selections as the command line takes them. */
import type { Selection, Windows } from '../daemon/history/request.js'
import { DaemonError } from '../daemon/errors.js'
import { optionText } from './command.js'
import type { CommandCall } from './command.js'

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}
const SIZES: Readonly<Record<string, number>> = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 }

export function selectionFrom(call: CommandCall, now: number): Selection {
  const [model, peer] = [optionText(call, 'model'), optionText(call, 'peer')]
  const [since, until] = [optionText(call, 'since'), optionText(call, 'until')]
  const kind = optionText(call, 'kind') as Selection['kind'] | null
  const role = optionText(call, 'role') as Selection['role'] | null
  return {
    ...(model === null ? {} : { model }),
    ...(peer === null ? {} : { peer }),
    ...(kind === null || kind === undefined ? {} : { kind }),
    ...(role === null || role === undefined ? {} : { role }),
    ...(since === null ? {} : { since: time('--since', since, now) }),
    ...(until === null ? {} : { until: time('--until', until, now) }),
  }
}

/** `2026-11-20`, `2026-11-20T18:30`, or an age such as `7d`. Unix milliseconds. */
export function time(flag: string, given: string, now: number): number {
  const back = age(given)
  if (back !== null) return Math.max(0, now - back)
  const parsed = /^\d{4}-\d{2}-\d{2}/.test(given) ? Date.parse(given.length === 10 ? `${given}T00:00` : given) : NaN
  if (Number.isNaN(parsed) || parsed < 0) {
    throw DaemonError.CONFIG_INVALID(
      `${flag} ${given} is not allowed; it must be a day (2026-11-20), a time (2026-11-20T18:30) or an age (30m, 12h, 7d).`,
    )
  }
  return parsed
}

/** Milliseconds of `30d`; null when it is no age. */
export function age(given: string): number | null {
  const [, number = '', unit = ''] = /^(\d{1,6})([smhdw])$/.exec(given) ?? []
  const factor = UNITS[unit]
  return factor === undefined ? null : Number(number) * factor
}

/** Bytes of `1gb`, `500MB`, `1.5 GB`; null when it is no size. */
export function size(given: string): number | null {
  const [, number = '', unit = ''] = /^(\d{1,9}(?:\.\d{1,3})?) ?([kmgt]?b)$/i.exec(given) ?? []
  const factor = SIZES[unit.toLowerCase()]
  return factor === undefined ? null : Math.floor(Number(number) * factor)
}

/** A whole number from 1; `all` = null. */
export function limitFrom(call: CommandCall, fallback: number | null): number | null {
  const given = optionText(call, 'limit')
  if (given === null) return fallback
  if (given === 'all') return null
  if (/^[1-9]\d{0,8}$/.test(given)) return Number(given)
  throw DaemonError.CONFIG_INVALID(`--limit ${given} is not allowed; it must be a whole number from 1, or all.`)
}

/** `0`, `0,3` or `all`; null = none. */
export function windowsFrom(call: CommandCall): Windows | null {
  const given = optionText(call, 'window')
  if (given === null || given === 'all') return given
  if (/^\d{1,6}(,\d{1,6})*$/.test(given)) return given.split(',').map(Number)
  throw DaemonError.CONFIG_INVALID(`--window ${given} is not allowed; it must be numbers from 0 (0,3) or all.`)
}
