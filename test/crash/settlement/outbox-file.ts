/** The settlement outbox of a daemon, read from outside while it runs or after it died: its journal, and nothing else. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OutboxEntry } from '../../../ledger/chain/outbox-states.js'
import { scan } from '../../../ledger/store/journal-frames.js'
import { ledgerFolder } from '../evidence.js'

/** As it is on the disk at this moment; a frame that is being written does not count yet. */
export function outboxOf(dataDir: string): OutboxEntry[] {
  const path = join(ledgerFolder(dataDir), 'outbox')
  if (!existsSync(path)) return []
  return [...scan(readFileSync(path), path).map.values()].map(
    (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) as OutboxEntry,
  )
}

export function entryOf(dataDir: string, signature: string): OutboxEntry | null {
  return outboxOf(dataDir).find((entry) => entry.signature === signature) ?? null
}
