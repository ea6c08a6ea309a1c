/**
 * Bytes of tokens, from the GGUF's own vocabulary: the library only gives strings, in which half a character is lost.
 * Follows llama.cpp's `token_to_piece`: byte-level BPE (`gpt2`), SentencePiece (`llama`, `t5`, ...).
 */
export type TokenKind = 'normal' | 'control' | 'literal' | 'byte'

export interface VocabularySource {
  /** `tokenizer.ggml.model`. */
  readonly model: string
  readonly tokens: readonly string[]
  /** `tokenizer.ggml.token_type`: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte. */
  readonly types: readonly number[]
}

export class Vocabulary {
  readonly #source: VocabularySource
  readonly #byteLevel: boolean
  readonly #cache = new Map<number, Uint8Array>()
  readonly #plain = new Map<number, string | null>()

  constructor(source: VocabularySource) {
    this.#source = source
    this.#byteLevel = source.model === 'gpt2'
  }

  get size(): number {
    return this.#source.tokens.length
  }

  has(token: number): boolean {
    return Number.isInteger(token) && token >= 0 && token < this.size
  }

  kind(token: number): TokenKind {
    const type = this.#source.types[token] ?? 1
    if (type === 2 || type === 3) return 'control'
    if (type === 4) return 'literal'
    return type === 6 ? 'byte' : 'normal'
  }

  /** The token as written in the vocabulary: for control tokens their name, e.g. `<|im_end|>`. */
  name(token: number): string {
    return this.#source.tokens[token] ?? ''
  }

  /** Control tokens that have exactly this name. */
  find(name: string): number | null {
    const token = this.#source.tokens.indexOf(name)
    return token === -1 ? null : token
  }

  /** What the token adds to the output. Control tokens add nothing. */
  bytes(token: number): Uint8Array {
    const cached = this.#cache.get(token)
    if (cached !== undefined) return cached
    const bytes = this.#decode(token)
    this.#cache.set(token, bytes)
    return bytes
  }

  /** The token as text if it is nothing but ASCII; null when its bytes may be part of a character. */
  plain(token: number): string | null {
    const cached = this.#plain.get(token)
    if (cached !== undefined) return cached
    const bytes = this.bytes(token)
    const text = bytes.every((byte) => byte < 0x80) ? Buffer.from(bytes).toString('latin1') : null
    this.#plain.set(token, text)
    return text
  }

  #decode(token: number): Uint8Array {
    const text = this.name(token)
    switch (this.kind(token)) {
      case 'control':
        return EMPTY
      case 'literal':
        return Buffer.from(text, 'utf8')
      case 'byte':
        return Uint8Array.of(Number.parseInt(text.slice(3, 5), 16) || 0)
      case 'normal':
        return this.#byteLevel ? fromByteLevel(text) : Buffer.from(text.replaceAll('\u2581', ' '), 'utf8')
    }
  }
}

const EMPTY = new Uint8Array(0)

/** GPT-2's table: printable Latin-1 stands for itself, the other bytes for U+0100 upward in order. */
const BYTE_OF = new Map<string, number>()
for (let byte = 0, other = 0; byte < 256; byte++) {
  const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
  BYTE_OF.set(String.fromCharCode(printable ? byte : 256 + other++), byte)
}

function fromByteLevel(text: string): Uint8Array {
  const bytes: number[] = []
  for (const character of text) {
    const byte = BYTE_OF.get(character)
    // Characters outside the table are literal text (tokens that were added after training).
    if (byte === undefined) bytes.push(...Buffer.from(character, 'utf8'))
    else bytes.push(byte)
  }
  return Uint8Array.from(bytes)
}
