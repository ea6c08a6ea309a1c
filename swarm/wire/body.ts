/** The sealed part of an ask: a prompt and how to sample, or texts to embed. */
import type { AskBody, AskMessage, AskSampling } from '../port.js'
import { SwarmError } from '../errors.js'
import { message, record, union } from './codec.js'
import type { Codec } from './codec.js'
import { int, list, oneOf, optional, string, u64, uint } from './fields.js'

/** A secret stream carries at most 16 MiB - 1 in one piece, and the ask's open fields want room too. */
export const MAX_BODY_BYTES = 16 * 2 ** 20 - 65_536
export const MAX_MESSAGES = 4096
export const MAX_NAME_BYTES = 128
export const MAX_PROMPT_TOKENS = 2 ** 21
export const MAX_TOKEN = 2 ** 31
export const MAX_STOPS = 32
export const MAX_STOP_BYTES = 512
export const MAX_LOGPROBS = 20
export const MAX_BIASES = 1024
export const MAX_BIAS_MILLI = 100_000
export const MAX_INPUTS = 2048

const token = uint(MAX_TOKEN)
const text = string(MAX_BODY_BYTES)
const tokens = list(token, MAX_PROMPT_TOKENS)

/** `name` is optional in the port and therefore absent, not null, when there is none. */
const chatMessage: Codec<AskMessage> = (() => {
  const role = oneOf('a role', ['system', 'user', 'assistant', 'tool'] as const)
  const name = optional(string(MAX_NAME_BYTES))
  return {
    preencode(state, value) {
      role.preencode(state, value.role)
      name.preencode(state, value.name ?? null)
      text.preencode(state, value.content)
    },
    encode(state, value) {
      role.encode(state, value.role)
      name.encode(state, value.name ?? null)
      text.encode(state, value.content)
    },
    decode(state) {
      const who = role.decode(state)
      const named = name.decode(state)
      const content = text.decode(state)
      return named === null ? { role: who, content } : { role: who, content, name: named }
    },
  }
})()

type Bias = readonly [token: number, milli: number]

/** Ascending token ids, each once: one encoding for one meaning. */
const biases: Codec<readonly Bias[]> = (() => {
  const milli = int(MAX_BIAS_MILLI)
  const pairs = list<Bias>(
    {
      preencode(state, value) {
        token.preencode(state, value[0])
        milli.preencode(state, value[1])
      },
      encode(state, value) {
        token.encode(state, value[0])
        milli.encode(state, value[1])
      },
      decode(state) {
        return [token.decode(state), milli.decode(state)]
      },
    },
    MAX_BIASES,
  )
  return {
    preencode: pairs.preencode,
    encode: pairs.encode,
    decode(state) {
      const value = pairs.decode(state)
      let last = -1
      for (const [id] of value) {
        if (id <= last) throw SwarmError.BAD_MESSAGE('logit biases out of order')
        last = id
      }
      return value
    },
  }
})()

const sampling = record<AskSampling>({
  temperatureMilli: uint(100_000),
  topPMilli: uint(1000),
  minPMilli: uint(1000),
  topK: uint(64),
  presencePenaltyMilli: int(2000),
  frequencyPenaltyMilli: int(2000),
  repeatPenaltyMilli: uint(10_000),
  logitBias: biases,
  seed: u64,
})

type GenerateBody = Omit<Extract<AskBody, { kind: 'generate' }>, 'kind'>

export const bodyMessage = message<AskBody>(
  'ask body',
  1,
  MAX_BODY_BYTES,
  union<AskBody>('an ask body', {
    generate: record<GenerateBody>({
      prompt: union<GenerateBody['prompt']>('a prompt', {
        chat: record({ messages: list(chatMessage, MAX_MESSAGES) }),
        text: record({ text }),
        tokens: record({ tokens }),
      }),
      sampling,
      stop: list(string(MAX_STOP_BYTES), MAX_STOPS),
      logprobs: optional(uint(MAX_LOGPROBS)),
      resume: tokens,
    }),
    embed: record({ inputs: list(input(), MAX_INPUTS) }),
  }),
)

type Input = string | readonly number[]

/** 0 and text, or 1 and token ids. */
function input(): Codec<Input> {
  const form = oneOf('an input', ['text', 'tokens'] as const)
  return {
    preencode(state, value) {
      form.preencode(state, typeof value === 'string' ? 'text' : 'tokens')
      if (typeof value === 'string') text.preencode(state, value)
      else tokens.preencode(state, value)
    },
    encode(state, value) {
      form.encode(state, typeof value === 'string' ? 'text' : 'tokens')
      if (typeof value === 'string') text.encode(state, value)
      else tokens.encode(state, value)
    },
    decode(state) {
      return form.decode(state) === 'text' ? text.decode(state) : tokens.decode(state)
    },
  }
}
