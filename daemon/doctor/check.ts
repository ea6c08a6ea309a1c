/** One thing that the doctor looked at. */
export interface Finding {
  /** Short and stable: scripts match it. */
  readonly name: string
  readonly state: 'ok' | 'warn' | 'fail'
  /** What was found. */
  readonly detail: string
  /** What to do; null when there is nothing to do. */
  readonly advice: string | null
}

export function ok(name: string, detail: string): Finding {
  return { name, state: 'ok', detail, advice: null }
}

export function warn(name: string, detail: string, advice: string): Finding {
  return { name, state: 'warn', detail, advice }
}

export function fail(name: string, detail: string, advice: string): Finding {
  return { name, state: 'fail', detail, advice }
}
