/**
 * What was asked and answered, and the one random key that protects it.
 *
 *   body = XChaCha20-Poly1305(key derived from the content key, ad = transaction id, content)
 *   content = version uint8 (1) | request bytes | response bytes
 *
 * Both sides hold key and text, so both come to the same ciphertext, and its hash in the statement names it for both.
 * Hashes of contents are keyed by the content key: a log shows nobody whether a guessed prompt is right. To license a
 * pair is to seal its content key to the buyer.
 */
import b4a from 'b4a'
import { bytes, decode, encode, struct, version } from './codec.js'
import type { Codec } from './codec.js'
import {
  decryptOnce,
  encryptOnce,
  hash,
  HASH_BYTES,
  keyedHash,
  openKey,
  randomBytes,
  sealKey,
  KEY_BYTES,
} from './crypto.js'
import type { KeyPair } from './crypto.js'
import { LedgerError } from './errors.js'
import type { SealedKey, Statement } from './transaction.js'

/** Request and response each; a body is at most twice that. */
export const MAX_CONTENT_BYTES = 16 * 1024 * 1024

/** The bytes of `exchange.ts`; nothing here looks inside. */
export interface Content {
  readonly request: Uint8Array
  readonly response: Uint8Array
}

/** A body and what the statement says about it. */
export interface SealedContent {
  readonly ciphertext: Uint8Array
  readonly request: Statement['request']
  readonly response: Omit<Statement['response'], 'tokenRoot'>
  readonly body: Statement['body']
}

interface Versioned extends Content {
  readonly version: number
}

const CONTENT: Codec<Versioned> = struct<Versioned>({
  version: version('the content', 1),
  request: bytes(MAX_CONTENT_BYTES),
  response: bytes(MAX_CONTENT_BYTES),
})

/** 32 random bytes. Used for one transaction and never again: `sealContent` has no nonce. */
export function newContentKey(): Uint8Array {
  return randomBytes(KEY_BYTES)
}

/** For one side. Another call gives other bytes: whoever makes the seals sends them to the other side. */
export function sealContentKey(contentKey: Uint8Array, boxKey: Uint8Array): SealedKey {
  return { kind: 'sealed', sealed: sealKey(contentKey, boxKey) }
}

/** Throws `BAD_SEAL` when the key was sealed to somebody else or has been destroyed. */
export function openContentKey(key: SealedKey, pair: KeyPair): Uint8Array {
  if (key.kind === 'destroyed') throw LedgerError.BAD_SEAL('a destroyed content key')
  return openKey(key.sealed, pair)
}

/** Throws `BAD_ENCODING` when request or response is above its limit. */
export function sealContent(contentKey: Uint8Array, id: Uint8Array, content: Content): SealedContent {
  const plain = encode(CONTENT, { version: 1, ...content })
  const ciphertext = encryptOnce(keyedHash(contentKey, 'swarmd/1/content/body-key'), plain, id)
  return {
    ciphertext,
    request: {
      hash: keyedHash(contentKey, 'swarmd/1/content/request', content.request),
      bytes: content.request.byteLength,
    },
    response: {
      hash: keyedHash(contentKey, 'swarmd/1/content/response', content.response),
      bytes: content.response.byteLength,
    },
    body: { hash: bodyHash(ciphertext), bytes: ciphertext.byteLength },
  }
}

/** Throws `BAD_SEAL` for another key, another transaction's body or changed bytes. */
export function openContent(contentKey: Uint8Array, id: Uint8Array, ciphertext: Uint8Array): Content {
  const plain = decryptOnce(keyedHash(contentKey, 'swarmd/1/content/body-key'), ciphertext, id)
  const { request, response } = decode(CONTENT, plain)
  return { request, response }
}

export function bodyHash(ciphertext: Uint8Array): Uint8Array {
  return hash('swarmd/1/content/body', ciphertext)
}

/** Of an engine that does not say what it was given (the mock), of embeddings, and of what a consumer states alone. */
export const UNREPORTED: Uint8Array = b4a.alloc(HASH_BYTES)

/**
 * Token ids as u32 LE: what the prompt was after rendering, for the audit. Keyed, because a prompt can be guessed.
 */
export function promptTokensHash(contentKey: Uint8Array, tokens: ArrayLike<number>): Uint8Array {
  const out = b4a.allocUnsafe(tokens.length * 4)
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength)
  for (let i = 0; i < tokens.length; i++) view.setUint32(i * 4, tokens[i] ?? 0, true)
  return keyedHash(contentKey, 'swarmd/1/content/prompt-tokens', out)
}

/**
 * The chat template's text in UTF-8, as the model file has it: a fact about the model, so a plain hash. null: the prompt was
 * plain text or token ids, and no template had a part in it.
 */
export function templateHash(text: string | null): Uint8Array {
  return text === null ? hash('swarmd/1/template/none') : hash('swarmd/1/template', b4a.from(text))
}

/** Does this content belong to this statement? Names what does not; empty = it does. */
export function contentMismatches(contentKey: Uint8Array, content: Content, statement: Statement): string[] {
  const sealed = sealContent(contentKey, statement.id, content)
  const pairs = [
    ['request', sealed.request, statement.request],
    ['response', sealed.response, statement.response],
    ['body', sealed.body, statement.body],
  ] as const
  return pairs.filter(([, a, b]) => a.bytes !== b.bytes || !b4a.equals(a.hash, b.hash)).map(([name]) => name)
}
