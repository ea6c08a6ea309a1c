/** `swarmd watch`: a watchtower for somebody else's vouchers. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { chainSettings } from '../../daemon/config-options.js'
import { DeskError } from '../../daemon/chain/desk-errors.js'
import type { WatchEvent } from '../../daemon/chain/watch.js'
import type { Watchtower } from '../../daemon/chain/watch-open.js'
import { codeOf, DaemonError } from '../../daemon/errors.js'
import { absolute } from '../../daemon/paths.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { addSettings } from '../flags.js'
import { EXIT } from '../exit-codes.js'
import { age } from '../history-options.js'
import { clock } from '../history-text.js'
import { both, short } from '../money.js'
import { unlocked } from '../passphrase.js'
import { loadSettings } from '../running.js'
import { listenForEnd } from '../signals.js'
import { plural } from '../words.js'

const EVERY = '15s'
const WAIT = '10m'
const MAX_STDIN = 64 * 1024 * 1024
/** Settlements that a wallet should be good for. */
const FEW = 10

export function define(command: Command): void {
  command
    .argument('<file>', 'vouchers from "swarmd channels export"; - reads standard input')
    .option('--every <time>', 'between two looks at the chain', EVERY)
    .option('--wait <time>', 'how long the provider gets to settle by itself first', WAIT)
    .option('--once', 'look once and end: for a timer of your own')
  addSettings(command, ['chainUrl', 'chainProgram'])
  command.addHelpText(
    'after',
    `
When a payer asks to close a channel while its provider is away, what the
provider has not collected would go back to the payer after the grace. A
watchtower sees the request and submits the newest voucher in time. Vouchers are
no secrets: the money goes to the provider's payout address and nowhere else.
Fees (10,000 lamports for a channel) come from the wallet of this command's own
data folder: fill it with "swarmd wallet deposit --data DIR".

The file is read again whenever it changes. What was sent is remembered, so a
restart sends nothing twice.

Examples:
  swarmd channels export --out vouchers.jsonl    at the provider, now and then
  swarmd watch vouchers.jsonl --data ~/tower --chain https://rpc.example
  ssh home swarmd channels export | swarmd watch - --chain https://rpc.example
  swarmd watch vouchers.jsonl --once --json         from cron`,
  )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json } = call
  const [path = '-'] = call.args
  const [every, wait] = [duration(call, 'every', '--every'), duration(call, 'wait', '--wait')]
  const loaded = await loadSettings(call)
  const settings = chainSettings(loaded)
  if (!settings) throw DeskError.NO_CHAIN('Which chain? Give its address with --chain URL.')
  const { acquireLock } = await import('../../daemon/lock.js')
  const { openIdentity } = await import('../../daemon/identity.js')
  const { openWatchtower, WatchedFile } = await import('../../daemon/chain/watch-open.js')
  const { dataDir } = loaded
  const lock = acquireLock(dataDir, { pid: process.pid, since: Date.now(), version: call.version, apiUrl: null })
  const end = listenForEnd(io)
  const ended = new AbortController()
  void end.asked.then(() => ended.abort())
  let tower: Watchtower | null = null
  try {
    const identity = (await unlocked(call, dataDir)) ?? openIdentity(dataDir)
    const tell = (event: WatchEvent): void => say(call, event)
    tower = await openWatchtower({ dataDir, identity, settings, wait: BigInt(Math.floor(wait / 1000)), tell })
    const file = path === '-' ? null : new WatchedFile(absolute(path, io.cwd))
    // A file that is not there at the start is a mistake; one that is being replaced later is none.
    take(call, tower, (await file?.changed()) ?? (await standardInput(call)), path)
    await greet(call, tower)
    let well = await tower.watcher.turn()
    while (!ended.signal.aborted && call.options['once'] !== true) {
      await sleep(every, null, { signal: ended.signal }).catch(() => null)
      if (ended.signal.aborted) break
      const text = await file?.changed().catch((error: unknown) => complain(call, error))
      if (typeof text === 'string') take(call, tower, text, path)
      well = await tower.watcher.turn()
    }
    if (json) io.json({ event: 'stopped' })
    return well || call.options['once'] !== true ? EXIT.ok : EXIT.failure
  } finally {
    await tower?.close()
    lock.release()
    end.dispose()
  }
}

function duration(call: CommandCall, name: string, flag: string): number {
  const given = optionText(call, name) ?? ''
  const value = age(given)
  if (value !== null && (value >= 1000 || name === 'wait')) return value
  throw DaemonError.CONFIG_INVALID(`${flag} ${given} is not allowed; it must be a time such as 15s, 10m or 2h.`)
}

async function standardInput({ io }: CommandCall): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of io.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    if (bytes > MAX_STDIN) throw DaemonError.CONFIG_UNREADABLE('More comes from standard input than vouchers can be.')
  }
  return Buffer.concat(chunks).toString('utf8')
}

function take({ io, json }: CommandCall, tower: Watchtower, text: string, path: string): void {
  const { vouchers, refused } = tower.read(text)
  tower.watcher.take(vouchers)
  if (json) return io.json({ event: 'watching', channels: vouchers.length, refused })
  for (const { line, why } of refused.slice(0, 5)) io.err(`! ${path}, line ${line}: ${why}; it is left out.\n`)
  if (refused.length > 5) io.err(`! and ${refused.length - 5} more lines.\n`)
  return io.out(`${stamp()}  watching over ${plural(vouchers.length, 'channel')}\n`)
}

async function greet({ io, json }: CommandCall, tower: Watchtower): Promise<void> {
  const affords = await tower.watcher.affords().catch(() => null)
  if (json) return io.json({ event: 'wallet', address: tower.address, settlements: affords })
  if (affords === null) return io.err('! The chain cannot be asked now; it is tried again and again.\n')
  if (affords >= FEW) return undefined
  return io.err(
    `! The wallet ${tower.address} pays for ${plural(affords, 'settlement')} only: send it some SOL, or the watch is in vain.\n`,
  )
}

function complain({ io, json }: CommandCall, error: unknown): null {
  const message = error instanceof Error ? error.message : String(error)
  if (json) io.json({ event: 'trouble', channel: null, code: codeOf(error) ?? 'FAILED', message })
  else io.err(`! ${message} The vouchers read before stay in use.\n`)
  return null
}

function say({ io, json }: CommandCall, event: WatchEvent): void {
  if (json) io.json(event)
  else io.out(`${stamp()}  ${words(event)}\n`)
}

function words(event: WatchEvent): string {
  const channel = event.channel === null ? 'the chain' : event.channel.slice(0, 12)
  switch (event.event) {
    case 'closing':
      return `${channel}  its payer asks to close: ${both(event.unclaimed)} unclaimed, until ${clock(event.closesAt)}; submitted here at ${clock(event.submitsAt)} unless the provider does before`
    case 'settled':
      return `${channel}  submitted: ${both(event.amount)} for its provider; fee ${short(event.cost)} from this wallet; ${event.signature}`
    case 'over':
      return event.why === 'gone'
        ? `${channel}  is not on the chain (any more): nothing to do`
        : `${channel}  is closing, and all of its voucher is collected`
    case 'refused':
      return `${channel}  left alone: ${event.why}`
    case 'trouble':
      return `${channel}  ${event.message} It is tried again.`
  }
}

function stamp(): string {
  return clock(Date.now())
}
