/**
 * A transaction that a third party can check with nothing but the file: bytes, signatures, and, when the owner discloses
 * them, the content key with request and response and any windows of the output.
 *
 * The file is JSON. Whatever a reader is shown comes from the signed bytes; nothing in it is taken on trust.
 */
import b4a from 'b4a'
import { contentMismatches } from './content.js'
import type { Content } from './content.js'
import { HASH_BYTES } from './crypto.js'
import { LedgerError } from './errors.js'
import { decodeResponse } from './exchange.js'
import { contradictions, isConsumerSigned, isProviderSigned } from './receipt.js'
import { tokensOf, verifyWindow, WINDOW } from './token-root.js'
import type { Width, WindowProof } from './token-root.js'
import { decodeTransaction, encodeTransaction, MAX_TRANSACTION_BYTES } from './transaction.js'
import type { Transaction } from './transaction.js'

const FORMAT = 'swarmd/transaction/1'
/** Base64 of two contents at their limit, and the rest. */
const MAX_FILE_CHARACTERS = 48 * 1024 * 1024
const MAX_WINDOWS = 2 ** 15

export interface Disclosure {
  readonly contentKey: Uint8Array
  readonly content: Content
}

export interface Export {
  readonly transaction: Transaction
  readonly disclosure: Disclosure | null
  readonly windows: readonly { readonly width: Width; readonly proof: WindowProof }[]
}

/** `absent`: the file does not hold what this check needs. */
export interface Check {
  readonly name: 'provider signature' | 'consumer signature' | 'statement' | 'content' | 'output windows'
  readonly result: 'good' | 'bad' | 'absent'
  readonly detail: string
}

export interface Verdict {
  readonly transaction: Transaction
  readonly checks: readonly Check[]
  /** Nothing bad, and at least one signature is good. */
  readonly holds: boolean
  /** Both sides agreed to it. */
  readonly agreed: boolean
}

export function exportTransaction(data: Export): string {
  const { disclosure, windows } = data
  return `${JSON.stringify(
    {
      format: FORMAT,
      transaction: base64(encodeTransaction(data.transaction)),
      content: disclosure && {
        key: base64(disclosure.contentKey),
        request: base64(disclosure.content.request),
        response: base64(disclosure.content.response),
      },
      windows: windows.map(({ width, proof }) => ({
        width,
        window: proof.window,
        bytes: base64(proof.bytes),
        salt: base64(proof.salt),
        path: proof.path.map(base64),
      })),
    },
    null,
    2,
  )}\n`
}

/** Throws `BAD_EXPORT` for a file of another form, `BAD_ENCODING` or `UNKNOWN_VERSION` for its transaction. */
export function parseExport(file: string): Export {
  if (file.length > MAX_FILE_CHARACTERS) throw LedgerError.BAD_EXPORT('the file is too large')
  const top = record(json(file), 'the file')
  if (top['format'] !== FORMAT) throw LedgerError.BAD_EXPORT(`the file's format is not ${FORMAT}`)
  const windows = top['windows'] ?? []
  if (!Array.isArray(windows) || windows.length > MAX_WINDOWS) throw LedgerError.BAD_EXPORT('windows is no list')
  return {
    transaction: decodeTransaction(field(top, 'transaction', MAX_TRANSACTION_BYTES)),
    disclosure: top['content'] === null || top['content'] === undefined ? null : disclosureOf(top['content']),
    windows: windows.map(windowOf),
  }
}

/** Never throws: what is wrong is in the checks. */
export function verifyExport(data: Export): Verdict {
  const { transaction } = data
  const checks = [
    signature('provider signature', transaction.providerSignature, isProviderSigned(transaction)),
    signature('consumer signature', transaction.consumerSignature, isConsumerSigned(transaction)),
    statementCheck(transaction),
    contentCheck(data),
    windowsCheck(data),
  ]
  const [provider, consumer] = checks
  const signatures = [provider, consumer].filter((check) => check?.result === 'good').length
  const holds = signatures > 0 && checks.every(({ result }) => result !== 'bad')
  return { transaction, checks, holds, agreed: holds && signatures === 2 }
}

function signature(name: Check['name'], bytes: Uint8Array | null, good: boolean): Check {
  if (!bytes) return { name, result: 'absent', detail: 'this side did not sign' }
  return good
    ? { name, result: 'good', detail: 'ed25519 over the receipt hash' }
    : { name, result: 'bad', detail: 'the signature does not fit the statement' }
}

function statementCheck({ statement, providerSignature }: Transaction): Check {
  const found = contradictions(statement).filter((field) => providerSignature !== null || field !== 'previous')
  return found.length === 0
    ? { name: 'statement', result: 'good', detail: 'cost is tokens × prices; counters and times fit' }
    : { name: 'statement', result: 'bad', detail: `contradicts itself in: ${found.join(', ')}` }
}

function contentCheck({ transaction, disclosure }: Export): Check {
  if (!disclosure) return { name: 'content', result: 'absent', detail: 'request and response are not disclosed' }
  const found = contentMismatches(disclosure.contentKey, disclosure.content, transaction.statement)
  return found.length === 0
    ? { name: 'content', result: 'good', detail: 'request, response and ciphertext have the signed hashes' }
    : { name: 'content', result: 'bad', detail: `not what was signed: ${found.join(', ')}` }
}

function windowsCheck({ transaction, disclosure, windows }: Export): Check {
  const name = 'output windows'
  const { response, usage } = transaction.statement
  if (windows.length === 0) return { name, result: 'absent', detail: 'no window is shown' }
  const bad = windows.filter(({ width, proof }) => !verifyWindow(response.tokenRoot, width, usage.output, proof))
  if (bad.length > 0)
    return { name, result: 'bad', detail: `${bad.length} of ${windows.length} not under the signed root` }
  const told = disclosure && answeredTokens(disclosure.content)
  const other = told ? windows.filter((window) => !isPartOf(window, told)).length : 0
  if (other > 0) return { name, result: 'bad', detail: `${other} with other tokens than the response` }
  return {
    name,
    result: 'good',
    detail: `${windows.length} under the signed root${told ? ', as in the response' : ''}`,
  }
}

/** null: the response is none that this version can read. */
function answeredTokens({ response }: Content): readonly number[] | null {
  try {
    const answer = decodeResponse(response)
    return answer.kind === 'generate' ? answer.tokens : null
  } catch (error) {
    if (error instanceof LedgerError) return null
    throw error
  }
}

function isPartOf({ width, proof }: Export['windows'][number], tokens: readonly number[]): boolean {
  const first = proof.window * WINDOW
  return tokensOf(proof.bytes, width).every((token, i) => token === tokens[first + i])
}

function disclosureOf(value: unknown): Disclosure {
  const object = record(value, 'content')
  const contentKey = field(object, 'key', HASH_BYTES)
  if (contentKey.byteLength !== HASH_BYTES) throw LedgerError.BAD_EXPORT('the content key has 32 bytes')
  return { contentKey, content: { request: field(object, 'request'), response: field(object, 'response') } }
}

function windowOf(value: unknown): Export['windows'][number] {
  const object = record(value, 'a window')
  const { width, window, path } = object
  if (width !== 0 && width !== 8) throw LedgerError.BAD_EXPORT('a window has width 0 or 8')
  if (typeof window !== 'number' || !Array.isArray(path)) throw LedgerError.BAD_EXPORT('a window without a place')
  const siblings = path.map((sibling: unknown) => bytesOf(sibling, 'path', HASH_BYTES))
  return { width, proof: { window, bytes: field(object, 'bytes'), salt: field(object, 'salt'), path: siblings } }
}

function json(file: string): unknown {
  try {
    return JSON.parse(file)
  } catch {
    throw LedgerError.BAD_EXPORT('the file is not JSON')
  }
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw LedgerError.BAD_EXPORT(`${what} is no object`)
  return value as Record<string, unknown>
}

function field(object: Record<string, unknown>, name: string, max = Infinity): Uint8Array {
  return bytesOf(object[name], name, max)
}

function bytesOf(value: unknown, name: string, max: number): Uint8Array {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) {
    throw LedgerError.BAD_EXPORT(`${name} is not base64`)
  }
  const bytes = b4a.from(value, 'base64')
  if (bytes.byteLength > max) throw LedgerError.BAD_EXPORT(`${name} is too long`)
  return bytes
}

function base64(bytes: Uint8Array): string {
  return b4a.toString(bytes, 'base64')
}
