/** The budget as the control socket and `swarmd budget` show it: JSON values, amounts in microlamports as decimal strings. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { toMicroLamports } from '../ledger/amount.js'
import type { Lamports } from '../ledger/amount.js'
import { Budget } from './budget.js'
import type { SpendingView } from './budget.js'
import type { LoadedConfig } from './config.js'
import { budgetLimits } from './config-options.js'
import { acquireLock } from './lock.js'

export interface BudgetView {
  /** Name of an API key; null = everything. */
  readonly key: string | null
  readonly spent: string
  readonly reserved: string
  readonly perRequest: string | null
  readonly perDay: string | null
  /** Of the day's limit; null = there is none. */
  readonly left: string | null
}

export function budgetPath(dataDir: string): string {
  return join(dataDir, 'ledger', 'budget')
}

export function budgetViews(views: readonly SpendingView[]): readonly BudgetView[] {
  return views.map(({ key, spent, reserved, perRequest, perDay }) => {
    const left = perDay === null ? null : toMicroLamports(perDay) - spent - reserved
    return {
      key,
      spent: String(spent),
      reserved: String(reserved),
      perRequest: micro(perRequest),
      perDay: micro(perDay),
      left: left === null ? null : String(left < 0n ? 0n : left),
    }
  })
}

/** Of a data folder that no node runs on. Throws `DATA_LOCKED`, `STORE_*`. */
export async function budgetOf(loaded: LoadedConfig, version: string): Promise<readonly BudgetView[]> {
  const limits = budgetLimits(loaded)
  const path = budgetPath(loaded.dataDir)
  if (!existsSync(path)) return budgetViews(Budget.unspent(limits))
  const lock = acquireLock(loaded.dataDir, { pid: process.pid, since: Date.now(), version, apiUrl: null })
  try {
    const budget = await Budget.open({ path, limits, now: Date.now })
    const views = budgetViews(budget.view())
    await budget.close()
    return views
  } finally {
    lock.release()
  }
}

function micro(amount: Lamports | null): string | null {
  return amount === null ? null : String(toMicroLamports(amount))
}
