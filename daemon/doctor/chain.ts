/** Whether the chain's RPC nodes answer, are on one chain, this folder's, and have swarmd's program there. */
import { readFileSync } from 'node:fs'
import { genesisFile } from '../chain/genesis.js'
import { codeOf } from '../errors.js'
import type { ChainSettings } from '../node-options.js'
import { fail, ok, warn } from './check.js'
import type { Finding } from './check.js'

const NAME = 'chain'
const TIMEOUT_MS = 5_000

/** What an RPC node said. `host` is all that is shown of its address: the rest may be an access key. */
export interface Answer {
  readonly host: string
  /** Base58; null = no answer, and `trouble` says why. */
  readonly genesis: string | null
  readonly trouble: string
  /** Is there a program where swarmd's should be? */
  readonly program: boolean
}

/** Pure: what the answers mean. `known`: the genesis hash in the data folder; null = this folder has met no chain yet. */
export function judgeChain(answers: readonly Answer[], known: string | null): Finding {
  const [good, silent] = [answers.filter(hasAnswered), answers.filter((answer) => !hasAnswered(answer))]
  const [first] = good
  const why = silent.map(({ host, trouble }) => `${host}: ${trouble}`).join('; ')
  if (!first)
    return fail(NAME, `No RPC node answers (${why}).`, 'Check the addresses of --chain or chain.url, and the network.')
  const other = good.find(({ genesis }) => genesis !== (known ?? first.genesis))
  if (other)
    return fail(
      NAME,
      `${other.host} is on the chain ${other.genesis ?? ''}, ${known === null ? first.host : 'this data folder'} on ${known ?? first.genesis ?? ''}.`,
      'Name RPC nodes of one chain, or another data folder with --data.',
    )
  const without = good.find(({ program }) => !program)
  if (without)
    return fail(
      NAME,
      `${without.host} knows no program at the address of chain.program.`,
      'Give the address of a deployed one; "swarmd program deploy" puts it on a chain.',
    )
  const hosts = good.map(({ host }) => host).join(', ')
  if (silent.length > 0) return warn(NAME, `${hosts} answered, but not ${why}.`, 'Replace the address that is silent.')
  return ok(NAME, `${hosts}; genesis ${first.genesis ?? ''}, program there`)
}

/** Each node by itself, so that the one that fails has a name. */
export async function checkChain({ urls, program }: ChainSettings, dataDir: string): Promise<Finding> {
  const [{ Rpc }, { accountOf }] = await Promise.all([
    import('../../ledger/chain/rpc.js'),
    import('../../ledger/chain/calls.js'),
  ])
  const ask = async (url: string): Promise<Answer> => {
    const rpc = new Rpc({ urls: [url], genesisHash: null, timeoutMs: TIMEOUT_MS, rounds: 1 })
    const nothing = { host: rpc.hosts, genesis: null, program: false }
    try {
      const genesis = await rpc.call('getGenesisHash')
      if (typeof genesis !== 'string') return { ...nothing, trouble: 'it told no genesis hash' }
      const account = await accountOf(rpc, program)
      return { host: rpc.hosts, genesis, trouble: '', program: account?.executable === true }
    } catch (error) {
      return { ...nothing, trouble: codeOf(error) ?? 'it failed' }
    }
  }
  return judgeChain(await Promise.all(urls.map(ask)), knownGenesis(dataDir))
}

function hasAnswered({ genesis }: Answer): boolean {
  return genesis !== null
}

function knownGenesis(dataDir: string): string | null {
  try {
    return readFileSync(genesisFile(dataDir), 'utf8').trim()
  } catch {
    return null
  }
}
