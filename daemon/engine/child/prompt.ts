/** From a job's prompt to tokens. Throws `BAD_REQUEST`, `NO_CHAT_TEMPLATE` or `CONTEXT_LENGTH_EXCEEDED`. */
import { setImmediate } from 'node:timers/promises'
import { EngineError } from '../errors.js'
import type { GenerateJob } from '../port.js'
import type { LoadedModel } from './model.js'

export interface Prompt {
  readonly tokens: readonly number[]
  /** The template's generation prompt has opened a thought. */
  readonly insideThought: boolean
}

/** Texts up to here are tokenised in one go. */
const SMALL = 131_072
/** Characters counted in one go: some milliseconds, during which no other stream of this host moves. */
export const PIECE = 16_384
/** Pieces count a few tokens more than the whole; only what is far too long is refused by such a count. */
const MARGIN = 2

export interface Counting {
  readonly tokenise: (text: string) => { readonly length: number }
  /** Tokens that have room. */
  readonly limit: number
  /** Characters that are not worth counting. */
  readonly small: number
  readonly signal: AbortSignal
}

/**
 * Refuses texts that are far too long before they are tokenised as a whole, which would hold up all other streams for
 * seconds. Throws `CONTEXT_LENGTH_EXCEEDED` with the count so far.
 */
export async function refuseOversized(texts: readonly string[], counting: Counting): Promise<void> {
  const { tokenise, limit, small, signal } = counting
  if (texts.reduce((sum, text) => sum + text.length, 0) <= small) return
  let tokens = 0
  for (const text of texts) {
    for (let at = 0; at < text.length; at += PIECE) {
      tokens += tokenise(text.slice(at, at + PIECE)).length
      if (tokens > MARGIN * limit) throw EngineError.CONTEXT_LENGTH_EXCEEDED(tokens, limit, 'at least')
      await setImmediate()
      signal.throwIfAborted()
    }
  }
}

export async function refuseOversizedPrompt(
  prompt: GenerateJob['prompt'],
  { model, facts }: Pick<LoadedModel, 'model' | 'facts'>,
  signal: AbortSignal,
): Promise<void> {
  if (prompt.kind === 'tokens') return
  const texts = prompt.kind === 'text' ? [prompt.text] : prompt.messages.map(({ content }) => content)
  const tokenise = (text: string): readonly number[] => model.tokenize(text, prompt.kind === 'text')
  await refuseOversized(texts, { tokenise, limit: facts.contextLength, small: SMALL, signal })
}

export function buildPrompt(prompt: GenerateJob['prompt'], loaded: LoadedModel, name: string): Prompt {
  const built = build(prompt, loaded, name)
  if (built.tokens.length === 0) throw EngineError.BAD_REQUEST('the prompt is empty')
  return built
}

function build(prompt: GenerateJob['prompt'], loaded: LoadedModel, name: string): Prompt {
  switch (prompt.kind) {
    case 'tokens':
      return { tokens: knownTokens(prompt.tokens, loaded), insideThought: false }
    case 'text':
      // Who writes the whole prompt may write special tokens: there is no template whose turns could be forged.
      return { tokens: withBos(tokenise(prompt.text, loaded), loaded), insideThought: false }
    case 'chat': {
      if (loaded.template === null) throw EngineError.NO_CHAT_TEMPLATE(name)
      const { text, tokens } = loaded.template.render(prompt.messages)
      const opened = loaded.markers !== null && text.trimEnd().endsWith(loaded.markers.open)
      return { tokens: withBos(tokens, loaded), insideThought: opened }
    }
  }
}

/** Prompt and one token more must fit into a slot; nothing is cut or shifted. */
export function checkLength(tokens: number, contextLength: number): void {
  if (tokens + 1 > contextLength) throw EngineError.CONTEXT_LENGTH_EXCEEDED(tokens, contextLength)
}

export function knownTokens(tokens: readonly number[], loaded: LoadedModel): readonly number[] {
  const unknown = tokens.find((token) => !loaded.vocabulary.has(token))
  if (unknown !== undefined) {
    throw EngineError.BAD_REQUEST(`token ${unknown} is not in this model's vocabulary of ${loaded.vocabulary.size}`)
  }
  return tokens
}

function tokenise(text: string, loaded: LoadedModel): number[] {
  return text === '' ? [] : loaded.model.tokenize(text, true)
}

function withBos(tokens: readonly number[], loaded: LoadedModel): readonly number[] {
  const { bos, shouldPrependBosToken } = loaded.model.tokens
  if (bos === null || !shouldPrependBosToken || tokens[0] === bos) return tokens
  return [bos, ...tokens]
}
