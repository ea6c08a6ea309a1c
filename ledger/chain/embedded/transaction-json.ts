/** A landed transaction as getTransaction shows it. */
import { toBase58 } from '../base58.js'
import type { Config } from './params.js'
import type { TransactionRecord } from './history.js'
import { RpcError } from './rpc-error.js'
import { isWritable, readTransaction } from './wire.js'
import type { WireInstruction, WireMessage } from './wire.js'

type Instruction = Readonly<Record<string, unknown>>

export function transactionJson(record: TransactionRecord, config: Config): object {
  const { encoding = 'json', maxSupportedTransactionVersion: versions } = config
  const { message } = readTransaction(Buffer.from(record.wire, 'base64'))
  if (message.version === 0 && typeof versions !== 'number') throw RpcError.UNSUPPORTED_TRANSACTION_VERSION(0)
  return {
    slot: record.slot,
    blockTime: record.time,
    ...(typeof versions === 'number' ? { version: message.version } : {}),
    transaction: transactionBody(record, message, encoding),
    meta: metaJson(record, message, encoding === 'jsonParsed'),
  }
}

function transactionBody(record: TransactionRecord, message: WireMessage, encoding: unknown): unknown {
  const bytes = Buffer.from(record.wire, 'base64')
  switch (encoding) {
    case 'base64':
      return [record.wire, 'base64']
    case 'base58':
      return [toBase58(bytes), 'base58']
    case 'binary':
      return toBase58(bytes)
    case 'json':
    case 'jsonParsed':
      return {
        signatures: readTransaction(bytes).signatures.map(toBase58),
        message: messageJson(record, message, encoding === 'jsonParsed'),
      }
    default:
      throw RpcError.INVALID_PARAMS(`Invalid params: unknown variant \`${String(encoding)}\`.`)
  }
}

function messageJson(record: TransactionRecord, message: WireMessage, parsed: boolean): object {
  const lookups = message.lookups.map(({ table, writable, readonly }) => ({
    accountKey: toBase58(table),
    writableIndexes: [...writable],
    readonlyIndexes: [...readonly],
  }))
  const tables = message.version === 0 ? { addressTableLookups: lookups } : {}
  const recentBlockhash = toBase58(message.blockhash)
  if (!parsed) {
    const { required, readonlySigned, readonlyUnsigned } = message
    return {
      header: {
        numRequiredSignatures: required,
        numReadonlySignedAccounts: readonlySigned,
        numReadonlyUnsignedAccounts: readonlyUnsigned,
      },
      accountKeys: message.keys.map(toBase58),
      recentBlockhash,
      instructions: message.instructions.map((instruction) => compiled(instruction)),
      ...tables,
    }
  }
  const own = message.keys.length
  const accountKeys = record.keys.map((pubkey, index) => ({
    pubkey,
    signer: index < message.required,
    writable: index < own ? isWritable(message, index) : index < own + record.loaded.writable.length,
    source: index < own ? 'transaction' : 'lookupTable',
  }))
  const instructions = message.instructions.map(({ program, accounts, data }) =>
    partly(record, program, [...accounts], toBase58(data), 1),
  )
  return { accountKeys, recentBlockhash, instructions, ...tables }
}

function metaJson(record: TransactionRecord, message: WireMessage, parsed: boolean): object {
  const { error, fee, before, after, logs, inner, returned, units, loaded } = record
  return {
    err: error,
    status: error === null ? { Ok: null } : { Err: error },
    fee,
    preBalances: before,
    postBalances: after,
    preTokenBalances: [],
    postTokenBalances: [],
    innerInstructions: inner.map(({ index, calls }) => ({
      index,
      instructions: calls.map(({ program, accounts, data, stackHeight }) =>
        parsed
          ? partly(record, program, accounts, data, stackHeight)
          : { programIdIndex: program, accounts, data, stackHeight },
      ),
    })),
    logMessages: logs,
    rewards: [],
    computeUnitsConsumed: units,
    ...(message.version === 0 && !parsed ? { loadedAddresses: loaded } : {}),
    ...(message.version === 'legacy' ? { loadedAddresses: { writable: [], readonly: [] } } : {}),
    ...(returned ? { returnData: { programId: returned.program, data: [returned.data, 'base64'] } } : {}),
  }
}

function compiled({ program, accounts, data }: WireInstruction): Instruction {
  return { programIdIndex: program, accounts: [...accounts], data: toBase58(data), stackHeight: null }
}

/** What `jsonParsed` shows for a program that the node has no parser for. */
function partly(
  { keys }: TransactionRecord,
  program: number,
  accounts: readonly number[],
  data: string,
  stackHeight: number,
): Instruction {
  return { programId: keys[program], accounts: accounts.map((index) => keys[index]), data, stackHeight }
}
