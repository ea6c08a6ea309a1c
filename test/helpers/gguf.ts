/** Writes small GGUF files for tests: well-formed ones, whose bytes can then be broken. */
export type GgufEntry =
  | { readonly key: string; readonly text: string }
  | { readonly key: string; readonly u32: number }
  | { readonly key: string; readonly texts: readonly string[] }
  | { readonly key: string; readonly i32s: readonly number[] }

export interface GgufTensor {
  readonly name: string
  readonly dimensions: readonly number[]
}

/** Tensors are F32, their contents counted bytes. */
export function ggufFile(entries: readonly GgufEntry[], tensors: readonly GgufTensor[] = []): Buffer {
  const parts: Buffer[] = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(entries.length)]
  for (const entry of entries) {
    parts.push(text(entry.key))
    if ('text' in entry) parts.push(u32(8), text(entry.text))
    else if ('u32' in entry) parts.push(u32(4), u32(entry.u32))
    else if ('texts' in entry) parts.push(u32(9), u32(8), u64(entry.texts.length), ...entry.texts.map(text))
    else parts.push(u32(9), u32(5), u64(entry.i32s.length), ...entry.i32s.map(u32))
  }
  let offset = 0
  for (const tensor of tensors) {
    parts.push(text(tensor.name), u32(tensor.dimensions.length), ...tensor.dimensions.map(u64), u32(0), u64(offset))
    offset += bytesOf(tensor)
  }
  const header = Buffer.concat(parts)
  const data = Buffer.alloc(offset).map((_, i) => i % 251)
  return Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), data])
}

/** A header as small models have it. */
export function modelEntries(more: readonly GgufEntry[] = []): GgufEntry[] {
  return [
    { key: 'general.architecture', text: 'llama' },
    { key: 'general.basename', text: 'Tiny Llama' },
    { key: 'general.size_label', text: '1.1B' },
    { key: 'general.finetune', text: 'Chat' },
    { key: 'general.file_type', u32: 15 },
    { key: 'llama.context_length', u32: 4096 },
    { key: 'llama.block_count', u32: 22 },
    { key: 'llama.embedding_length', u32: 2048 },
    { key: 'llama.feed_forward_length', u32: 5632 },
    { key: 'llama.attention.head_count', u32: 32 },
    { key: 'llama.attention.head_count_kv', u32: 4 },
    { key: 'tokenizer.ggml.tokens', texts: ['<s>', 'a', 'b'] },
    ...more,
  ]
}

function bytesOf(tensor: GgufTensor): number {
  return tensor.dimensions.reduce((product, dimension) => product * dimension, 4)
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value | 0)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u64(bytes.length), bytes])
}
