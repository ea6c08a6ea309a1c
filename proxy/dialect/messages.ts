/** From the messages of a chat body to the neutral prompt. */
import { ProxyError } from '../errors.js'
import type { Message, Prompt } from '../port.js'
import type { ChatMessage } from '../schema/chat.js'

type Parts = Exclude<NonNullable<ChatMessage['content']>, string>

/** Throws `UNSUPPORTED_PARAMETER` for content that is not text, and for turns of tools. */
export function chatPrompt(messages: readonly ChatMessage[]): Prompt {
  return { kind: 'chat', messages: messages.map(messageFrom) }
}

function messageFrom(message: ChatMessage, index: number): Message {
  const at = `messages[${index}]`
  const { role, content = null, name = null } = message
  if (role === 'tool' || role === 'function') {
    throw ProxyError.UNSUPPORTED_PARAMETER(`${at}.role`, `is '${role}', and no model here calls tools yet`)
  }
  for (const field of ['tool_calls', 'function_call', 'audio'] as const) {
    const value = message[field] ?? null
    if (value === null || (Array.isArray(value) && value.length === 0)) continue
    throw ProxyError.UNSUPPORTED_PARAMETER(`${at}.${field}`, 'is not understood by any model here yet')
  }
  if (content === null && role !== 'assistant') throw ProxyError.MISSING_PARAMETER(`${at}.content`)
  return {
    // Templates know `system`; `developer` is OpenAI's newer name for the same authority.
    role: role === 'developer' ? 'system' : role,
    content: content === null ? '' : typeof content === 'string' ? content : joinParts(content, at),
    ...(name === null ? {} : { name }),
  }
}

function joinParts(parts: Parts, at: string): string {
  return parts
    .map((part, index) => {
      if (part.type === 'text' && part.text !== undefined) return part.text
      if (part.type === 'refusal' && part.refusal !== undefined) return part.refusal
      const where = `${at}.content[${index}]`
      if (part.type === 'text' || part.type === 'refusal') throw ProxyError.MISSING_PARAMETER(`${where}.${part.type}`)
      throw ProxyError.UNSUPPORTED_PARAMETER(
        where,
        `has type ${JSON.stringify(part.type.slice(0, 64))}; only text is read`,
      )
    })
    .join('')
}
