/** The JSON-RPC methods of the embedded chain, as https://solana.com/docs/rpc/http describes them. */
import { toBase58 } from '../base58.js'
import { accountJson, filtered } from './account-json.js'
import type { EmbeddedChain } from './chain.js'
import { BLOCKHASH_SLOTS, SLOTS_PER_EPOCH } from './clock.js'
import { feeOf } from './fees.js'
import type { Landed } from './history.js'
import { flag, integerOf, keyOf, signatureOf, wireBytes } from './params.js'
import type { Params } from './params.js'
import { RpcError } from './rpc-error.js'
import { simulation } from './simulation.js'
import { transactionJson } from './transaction-json.js'
import { readMessage } from './wire.js'

/** Of the Agave release whose rules LiteSVM 1.5 runs. */
const VERSION = '4.2.0'
const MAX_ACCOUNTS = 100
const MAX_AIRDROP = 1_000_000n * 1_000_000_000n

export type Method = (chain: EmbeddedChain, params: Params) => unknown

export function context(chain: EmbeddedChain, value: unknown): object {
  return { context: { slot: chain.clock.slot(), apiVersion: VERSION }, value }
}

function status({ slot, error }: Landed): object {
  // Nothing forks here, and nothing is answered before it is on the disk: what has landed is final.
  return {
    slot,
    confirmations: null,
    err: error,
    status: error === null ? { Ok: null } : { Err: error },
    confirmationStatus: 'finalized',
  }
}

const now: Method = (chain, params) => {
  params.config(0, chain.clock.slot())
  return chain.clock.slot()
}

const epoch: Method = (chain) => {
  const slot = chain.clock.slot()
  const slotIndex = slot % SLOTS_PER_EPOCH
  return {
    absoluteSlot: slot,
    blockHeight: slot,
    epoch: Math.floor(slot / SLOTS_PER_EPOCH),
    slotIndex,
    slotsInEpoch: SLOTS_PER_EPOCH,
    transactionCount: chain.history.size,
  }
}

export const METHODS: Readonly<Record<string, Method>> = {
  getHealth: () => 'ok',
  getVersion: () => ({ 'solana-core': VERSION, 'feature-set': 0 }),
  getGenesisHash: (chain) => toBase58(chain.identity.genesisHash),
  getIdentity: (chain) => ({ identity: toBase58(chain.identity.faucet.publicKey) }),
  getSlot: now,
  getBlockHeight: now,
  getFirstAvailableBlock: () => 0,
  minimumLedgerSlot: () => 0,
  getMaxRetransmitSlot: now,
  getSlotLeader: (chain) => toBase58(chain.identity.faucet.publicKey),
  getTransactionCount: (chain) => chain.history.size,
  getEpochInfo: epoch,
  getEpochSchedule: () => ({
    firstNormalEpoch: 0,
    firstNormalSlot: 0,
    leaderScheduleSlotOffset: SLOTS_PER_EPOCH,
    slotsPerEpoch: SLOTS_PER_EPOCH,
    warmup: false,
  }),
  getClusterNodes: () => [],
  getVoteAccounts: () => ({ current: [], delinquent: [] }),
  getRecentPerformanceSamples: () => [],
  getRecentPrioritizationFees: (chain) => [{ slot: chain.clock.slot(), prioritizationFee: 0 }],
  getBlockTime: (chain, params) => {
    const slot = params.integer(0)
    return slot > chain.clock.slot() ? null : chain.clock.timeOf(slot)
  },

  getLatestBlockhash: (chain, params) => {
    const slot = chain.clock.slot()
    params.config(0, slot)
    return context(chain, {
      blockhash: toBase58(chain.clock.blockhash(slot)),
      lastValidBlockHeight: slot + BLOCKHASH_SLOTS,
    })
  },
  isBlockhashValid: (chain, params) => {
    params.config(1, chain.clock.slot())
    return context(chain, chain.clock.slotOf(params.key(0)) !== null)
  },
  getFeeForMessage: (chain, params) => {
    params.config(1, chain.clock.slot())
    const message = readMessage(wireBytes(params.text(0), 'base64'))
    return context(chain, chain.clock.slotOf(message.blockhash) === null ? null : feeOf(message))
  },
  getMinimumBalanceForRentExemption: (chain, params) => Number(chain.rent(params.integer(0))),

  getBalance: (chain, params) => {
    params.config(1, chain.clock.slot())
    return context(chain, Number(chain.account(params.key(0))?.lamports ?? 0n))
  },
  getAccountInfo: (chain, params) => {
    const config = params.config(1, chain.clock.slot())
    const account = chain.account(params.key(0))
    return context(chain, account && accountJson(account, config))
  },
  getMultipleAccounts: (chain, params) => {
    const config = { encoding: 'base64', ...params.config(1, chain.clock.slot()) }
    const accounts = params.texts(0, MAX_ACCOUNTS).map((text) => chain.account(keyOf(text)))
    return context(
      chain,
      accounts.map((account) => account && accountJson(account, config)),
    )
  },
  getProgramAccounts: (chain, params) => {
    const config = params.config(1, chain.clock.slot())
    const passes = filtered(config['filters'])
    const found = chain
      .accountsOf(params.key(0))
      .filter(({ account }) => passes(account.data))
      .map(({ key, account }) => ({ pubkey: toBase58(key), account: accountJson(account, config) }))
    return flag(config, 'withContext') ? context(chain, found) : found
  },

  sendTransaction: (chain, params) => {
    const config = params.config(1, chain.clock.slot())
    return chain.send(wireBytes(params.text(0), config['encoding']), !flag(config, 'skipPreflight'))
  },
  simulateTransaction: (chain, params) => {
    const config = params.config(1, chain.clock.slot())
    return context(chain, simulation(chain, wireBytes(params.text(0), config['encoding']), config))
  },
  requestAirdrop: (chain, params) => {
    params.config(2, chain.clock.slot())
    const lamports = BigInt(params.integer(1))
    if (lamports > MAX_AIRDROP)
      throw RpcError.INVALID_PARAMS(`Invalid params: at most ${MAX_AIRDROP} lamports at a time.`)
    return chain.airdrop(params.key(0), lamports)
  },

  getSignatureStatuses: (chain, params) => {
    const landed = params.texts(0).map((text) => chain.history.landed(signatureOf(text)))
    return context(
      chain,
      landed.map((found) => found && status(found)),
    )
  },
  getTransaction: (chain, params) => {
    const config = params.config(1, chain.clock.slot())
    const record = chain.history.record(signatureOf(params.text(0)))
    return record && transactionJson(record, config)
  },
  getSignaturesForAddress: (chain, params) => {
    const { limit, before, until } = params.config(1, chain.clock.slot())
    const count = limit === undefined || limit === null ? 1000 : integerOf(limit, 'limit')
    if (count < 1 || count > 1000) throw RpcError.INVALID_PARAMS('Invalid limit; max 1000')
    const bound = (value: unknown): string | null => (typeof value === 'string' ? signatureOf(value) : null)
    return chain.history
      .of(toBase58(params.key(0)), count, bound(before), bound(until))
      .map(({ signature, slot, time, error }) => ({
        signature,
        slot,
        err: error,
        memo: null,
        blockTime: time,
        confirmationStatus: 'finalized',
      }))
  },
}
