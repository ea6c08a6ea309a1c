/**
 * Fields that OpenAI documents and no engine here can honour yet: a 400 that names them, never silence. A value that asks
 * for nothing (`null`, an empty list, the documented default) passes.
 */
import { ProxyError } from '../errors.js'

type Body = Readonly<Record<string, unknown>>

interface Refusal {
  readonly field: string
  /** True when the value asks for nothing that is missing here. */
  readonly harmless: (value: unknown) => boolean
  readonly why: string
}

const never = (): boolean => false
const empty = (value: unknown): boolean => Array.isArray(value) && value.length === 0
const oneOf =
  (...values: readonly unknown[]) =>
  (value: unknown): boolean =>
    values.includes(value)

const NO_TOOLS = 'asks for tool calls, which no model here can make yet'

const CHAT: readonly Refusal[] = [
  { field: 'tools', harmless: empty, why: NO_TOOLS },
  { field: 'tool_choice', harmless: oneOf('none'), why: NO_TOOLS },
  { field: 'functions', harmless: empty, why: NO_TOOLS },
  { field: 'function_call', harmless: oneOf('none'), why: NO_TOOLS },
  {
    field: 'response_format',
    harmless: (value) => typeof value === 'object' && value !== null && 'type' in value && value.type === 'text',
    why: 'can only be {"type": "text"} until models can be held to a format',
  },
  { field: 'audio', harmless: never, why: 'asks for speech, which no model here makes' },
  {
    field: 'modalities',
    harmless: (value) => Array.isArray(value) && value.every((item) => item === 'text'),
    why: 'can only be ["text"]',
  },
  { field: 'web_search_options', harmless: never, why: 'asks for a web search, which is not offered' },
  { field: 'reasoning_effort', harmless: oneOf('medium'), why: 'cannot be set for the models here' },
  { field: 'verbosity', harmless: oneOf('medium'), why: 'cannot be set for the models here' },
]

const COMPLETION: readonly Refusal[] = [
  { field: 'suffix', harmless: oneOf(''), why: 'asks to fill in the middle, which no model here can yet' },
]

const PROVIDER: readonly Refusal[] = [
  { field: 'quantizations', harmless: empty, why: 'is not supported: name the quantisation in the model id' },
  { field: 'data_collection', harmless: oneOf('allow'), why: 'cannot be promised for strangers' },
  { field: 'zdr', harmless: oneOf(false), why: 'cannot be promised for strangers' },
]

/** Throws `UNSUPPORTED_PARAMETER` for the first field of a chat body that cannot be honoured. */
export function refuseChatFields(body: Body): void {
  refuse(CHAT, body, '')
}

export function refuseCompletionFields(body: Body): void {
  refuse(COMPLETION, body, '')
  const bestOf = body['best_of'] ?? null
  if (bestOf !== null && bestOf !== (body['n'] ?? 1)) {
    throw ProxyError.UNSUPPORTED_PARAMETER('best_of', 'can only equal n: every choice that is computed is returned')
  }
}

export function refuseProviderFields(provider: Body): void {
  refuse(PROVIDER, provider, 'provider.')
}

function refuse(refusals: readonly Refusal[], body: Body, prefix: string): void {
  for (const { field, harmless, why } of refusals) {
    const value = body[field]
    if (value === undefined || value === null || harmless(value)) continue
    throw ProxyError.UNSUPPORTED_PARAMETER(`${prefix}${field}`, why)
  }
}
