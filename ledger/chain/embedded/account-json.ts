/** Accounts as JSON, in the encodings of real nodes, and the filters of getProgramAccounts. */
import { fromBase58, toBase58 } from '../base58.js'
import { integerOf } from './params.js'
import type { Config } from './params.js'
import { RpcError } from './rpc-error.js'
import type { VmAccount } from './vm.js'

/** Base58 of more than this is refused, as real nodes do. */
const MAX_BASE58_BYTES = 128
const MAX_FILTERS = 4
const MAX_MEMCMP_BYTES = 128

export function accountJson(account: VmAccount, config: Config): object {
  const { lamports, owner, executable, data } = account
  return {
    lamports: Number(lamports),
    owner: toBase58(owner),
    executable,
    // Real nodes say 2^64 - 1, which no double holds and typed clients then refuse to read.
    rentEpoch: 0,
    space: data.byteLength,
    data: encoded(sliced(data, config['dataSlice']), config['encoding']),
  }
}

/** Does the account pass all filters? Throws `-32602` for a filter that is none. */
export function filtered(filters: unknown): (data: Uint8Array) => boolean {
  if (filters === undefined || filters === null) return () => true
  if (!Array.isArray(filters) || filters.length > MAX_FILTERS)
    throw RpcError.INVALID_PARAMS(`Too many filters provided; max ${MAX_FILTERS}`)
  const tests = filters.map(filterOf)
  return (data) => tests.every((test) => test(data))
}

function filterOf(filter: unknown): (data: Uint8Array) => boolean {
  if (isObject(filter) && 'dataSize' in filter) {
    const size = integerOf(filter['dataSize'], 'dataSize')
    return (data) => data.byteLength === size
  }
  const memcmp = isObject(filter) ? filter['memcmp'] : null
  if (!isObject(memcmp)) throw RpcError.INVALID_PARAMS('Invalid params: a filter is {dataSize} or {memcmp}.')
  const offset = integerOf(memcmp['offset'], 'memcmp offset')
  const { bytes, encoding } = memcmp
  if (typeof bytes !== 'string') throw RpcError.INVALID_PARAMS('Invalid params: memcmp bytes must be a string.')
  const wanted = encoding === 'base64' ? Buffer.from(bytes, 'base64') : fromBase58(bytes)
  if (!wanted || wanted.byteLength > MAX_MEMCMP_BYTES) throw RpcError.INVALID_PARAMS('Invalid param: WrongSize')
  return (data) =>
    offset + wanted.byteLength <= data.byteLength &&
    Buffer.compare(data.subarray(offset, offset + wanted.byteLength), wanted) === 0
}

function sliced(data: Uint8Array, slice: unknown): Uint8Array {
  if (!isObject(slice)) return data
  const offset = integerOf(slice['offset'], 'dataSlice offset')
  return data.subarray(offset, offset + integerOf(slice['length'], 'dataSlice length'))
}

function encoded(data: Uint8Array, encoding: unknown): string | readonly [string, string] {
  switch (encoding) {
    case undefined:
    case null:
    case 'base58':
    case 'binary': {
      if (data.byteLength > MAX_BASE58_BYTES)
        throw RpcError.INVALID_PARAMS(
          `Encoded binary (base 58) data should be less than ${MAX_BASE58_BYTES} bytes, please use Base64 encoding.`,
        )
      const text = toBase58(data)
      return encoding === 'base58' ? [text, 'base58'] : text
    }
    case 'base64':
    // What no parser here knows comes in base64 from real nodes as well.
    case 'jsonParsed':
      return [Buffer.from(data).toString('base64'), 'base64']
    case 'base64+zstd':
      return [zstdStored(data).toString('base64'), 'base64+zstd']
    default:
      throw RpcError.INVALID_PARAMS(`Invalid params: unknown variant \`${String(encoding)}\`.`)
  }
}

/**
 * A zstd frame that stores instead of compressing (RFC 8878): magic, one segment with its size in 4 bytes, raw blocks of at
 * most 128 KiB, each `last | type 0 << 1 | size << 3` in 3 bytes. Node 20 has no zstd, and command-line tools ask for it.
 */
function zstdStored(data: Uint8Array): Buffer {
  const head = Buffer.alloc(9)
  head.writeUInt32LE(0xfd2fb528, 0)
  head[4] = 0b1010_0000
  head.writeUInt32LE(data.byteLength, 5)
  const parts: Uint8Array[] = [head]
  const block = 128 * 1024
  for (let at = 0; at === 0 || at < data.byteLength; at += block) {
    const bytes = data.subarray(at, at + block)
    const header = Buffer.alloc(3)
    header.writeUIntLE((at + block >= data.byteLength ? 1 : 0) | (bytes.byteLength << 3), 0, 3)
    parts.push(header, bytes)
  }
  return Buffer.concat(parts)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
