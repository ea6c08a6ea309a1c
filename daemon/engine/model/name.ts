/** Human names of models, from metadata alone: the same file has the same name on every machine. */
import type { GgufHeader } from './gguf.js'
import { fileTypeName } from './tensor-types.js'

export interface ModelName {
  /** `llama-3.2-1b-instruct:q4_k_m` */
  readonly name: string
  readonly quantisation: string
}

/** Peers refuse longer names (the offer's limit, in bytes). */
const NAME_LIMIT = 96

export function nameModel(header: GgufHeader, fileName: string): ModelName {
  const text = (key: string): string => {
    const value = header.metadata.get(key)
    return typeof value === 'string' ? value : ''
  }
  const fileType = header.metadata.get('general.file_type')
  const quantisation =
    (typeof fileType === 'number' ? fileTypeName(fileType) : null) ?? quantisationIn(fileName) ?? 'unknown'
  const base = text('general.basename')
  const parts = base === '' ? [text('general.name')] : [base, text('general.size_label'), text('general.finetune')]
  const joined = joinParts(parts) || slug(fileName.replace(/\.gguf$/i, '')) || 'model'
  const room = NAME_LIMIT - quantisation.length - 1
  return { name: `${joined.slice(0, room)}:${quantisation}`, quantisation }
}

/** `@` and eight hex digits tell models apart that share a name but not the weights. */
export function distinctName(name: string, root: Uint8Array): string {
  return `${name}@${Buffer.from(root.subarray(0, 4)).toString('hex')}`
}

/** A part that an earlier one contains already is left out (`gemma-3-270m` with size label `270M`). */
function joinParts(parts: readonly string[]): string {
  return parts.map(slug).reduce((name, part) => {
    if (part === '' || `-${name}-`.includes(`-${part}-`)) return name
    return name === '' ? part : `${name}-${part}`
  }, '')
}

function slug(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.]+/g, '-')
    .replaceAll(/^[-.]+|[-.]+$/g, '')
}

function quantisationIn(fileName: string): string | null {
  return (
    /(?:^|[-._])((?:i?q\d(?:_[a-z0-9]+)*)|bf16|f16|f32|mxfp4)(?=[-.]|$)/i.exec(fileName)?.[1]?.toLowerCase() ?? null
  )
}
