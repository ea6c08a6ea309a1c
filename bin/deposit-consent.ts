/**
 * The question whether coins may be put into deposits: asked once, in a terminal, before the first one; the answer lies in
 * the data folder (daemon/chain/consent.ts). Where nobody can be asked the settings decide.
 */
import { openQuestion, remember } from '../daemon/chain/consent.js'
import type { NodeOptions } from '../daemon/node-options.js'
import type { CommandCall } from './command.js'
import { confirm } from './prompt.js'
import { amount } from './words.js'

const MICRO = 1_000_000n

/** Before a node starts that could pay. Throws `CANCELLED`. */
export async function askBeforeStart(call: CommandCall, { chain, api, dataDir }: NodeOptions): Promise<void> {
  // Only callers of the API ask providers.
  if (!chain || !api) return
  const deposit = openQuestion(chain, dataDir)
  if (deposit !== null) await ask(call, dataDir, deposit, 'A provider on the chain')
}

/** Before a running node is asked for something that has a price. `deposit`: lamports in decimal. Throws `CANCELLED`. */
export async function askBeforeChat(
  call: CommandCall,
  dataDir: string,
  deposit: string | undefined,
  model: string,
): Promise<void> {
  if (deposit !== undefined) await ask(call, dataDir, BigInt(deposit), `A provider of ${model}`)
}

async function ask({ io, json }: CommandCall, dataDir: string, deposit: bigint, who: string): Promise<void> {
  if (json || !io.stdin.isTTY || !io.stderr.isTTY) return
  const sum = `${amount(String(deposit * MICRO))} (${deposit} lamports)`
  io.err(
    `${who} is paid from a deposit:
${sum} when it is first asked, and filled up to that
when it runs low. What is not used comes back when the channel is closed, by
itself after a while without use; opening and closing cost some thousand
lamports. The setting chain.consent answers this, too.
`,
  )
  const allowed = await confirm(io, 'May deposits be made? (asked once)')
  remember(dataDir, { allowed, deposit })
  if (!allowed) io.err('None are made. What is free works; to be asked again, see "Deposits" in docs/chain.md.\n')
}
