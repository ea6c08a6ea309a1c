/** The inputs of completions and embeddings: a text, texts, token ids, or lists of token ids; never mixed. */
import { ProxyError } from '../errors.js'

/** What the schemas let through. */
export type RawInput = string | readonly (string | number | readonly number[])[]
export type Input = string | readonly number[]

/** Throws `INVALID_TYPE` for a mixed list, `INVALID_VALUE` for more than `limit` inputs. */
export function inputList(param: string, input: RawInput, limit: number): readonly Input[] {
  if (typeof input === 'string') return [input]
  const numbers = input.filter((item) => typeof item === 'number')
  if (numbers.length === input.length) return [numbers]
  const inputs = input.filter((item) => typeof item !== 'number')
  const texts = inputs.filter((item) => typeof item === 'string').length
  if (numbers.length > 0 || (texts > 0 && texts < inputs.length)) {
    throw ProxyError.INVALID_TYPE(param, 'must not mix texts, token ids and lists of token ids')
  }
  if (inputs.length > limit) throw ProxyError.INVALID_VALUE(param, `must hold at most ${limit} inputs`)
  return inputs
}
