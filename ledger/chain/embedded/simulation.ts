/** simulateTransaction: what would happen, and nothing else. */
import { toBase58 } from '../base58.js'
import { accountJson } from './account-json.js'
import type { EmbeddedChain } from './chain.js'
import { flag, keyOf } from './params.js'
import type { Config } from './params.js'
import { RpcError } from './rpc-error.js'
import type { Simulated } from './vm.js'
import { readTransaction } from './wire.js'

export function simulation(chain: EmbeddedChain, bytes: Uint8Array, config: Config): object {
  const [verify, anyBlockhash] = [flag(config, 'sigVerify'), flag(config, 'replaceRecentBlockhash')]
  if (verify && anyBlockhash) throw RpcError.INVALID_PARAMS('sigVerify may not be used with replaceRecentBlockhash')
  const transaction = readTransaction(bytes)
  const result = chain.simulate(transaction, { verify, anyBlockhash })
  if (result.error === 'SignatureFailure') throw RpcError.SIGNATURE_VERIFICATION_FAILURE()
  const { keys } = chain.resolve(transaction.message)
  const slot = chain.clock.slot()
  return {
    err: result.error,
    logs: result.logs,
    accounts: accounts(chain, result, config['accounts']),
    unitsConsumed: result.units,
    returnData: result.returned && {
      programId: toBase58(result.returned.program),
      data: [Buffer.from(result.returned.data).toString('base64'), 'base64'],
    },
    innerInstructions: flag(config, 'innerInstructions')
      ? result.inner.map(({ index, calls }) => ({
          index,
          instructions: calls.map(({ program, accounts: indexes, data, stackHeight }) => ({
            programId: toBase58(keys[program] ?? new Uint8Array(32)),
            accounts: [...indexes].map((at) => toBase58(keys[at] ?? new Uint8Array(32))),
            data: toBase58(data),
            stackHeight,
          })),
        }))
      : null,
    replacementBlockhash: anyBlockhash
      ? { blockhash: toBase58(chain.clock.blockhash(slot)), lastValidBlockHeight: slot + 150 }
      : null,
  }
}

/** The accounts asked for, as they would be; null where nothing was asked. */
function accounts(chain: EmbeddedChain, result: Simulated, asked: unknown): readonly (object | null)[] | null {
  if (typeof asked !== 'object' || asked === null || !('addresses' in asked) || !Array.isArray(asked.addresses))
    return null
  if (asked.addresses.length > 64) throw RpcError.INVALID_PARAMS('Too many accounts provided; max 64')
  const encoding = 'encoding' in asked ? asked.encoding : undefined
  return asked.addresses.map((address: unknown) => {
    const key = keyOf(String(address))
    if (result.error !== null) return null
    const account = result.after.get(Buffer.from(key).toString('hex')) ?? chain.account(key)
    return account && account.lamports > 0n ? accountJson(account, { encoding: encoding ?? 'base64' }) : null
  })
}
