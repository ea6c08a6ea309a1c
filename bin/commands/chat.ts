/** `swarmd chat`: a conversation in the terminal, or one question and its answer. */
import type { Command } from 'commander'
import { integer } from '../../daemon/config-kinds.js'
import type { NodeSnapshot, PriceView } from '../../daemon/control/snapshot.js'
import { DaemonError } from '../../daemon/errors.js'
import { askChat } from '../chat-client.js'
import { findEndpoint, pipedText } from '../chat-endpoint.js'
import { AnswerPrinter } from '../chat-printer.js'
import { converse } from '../chat-session.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { askBeforeChat } from '../deposit-consent.js'

const tokenLimit = integer(1, 16_777_216)

export function define(command: Command): void {
  command
    .argument('[words...]', 'the model to talk to; with --model, or after the model, the question')
    .option('-m, --model <name>', 'the model; without one, the one served here, or the only one there is')
    .option('-s, --system <text>', 'instructions for the model')
    .option('--max-tokens <n>', 'end an answer after this many tokens')
    .option('--no-thoughts', 'do not show what the model thinks before it answers')
    .addHelpText(
      'after',
      `
Examples:
  swarmd chat                                     talk; Ctrl-C cancels an answer, twice leaves
  swarmd chat qwen3-8b:q4_k_m                     with this model
  swarmd chat -m qwen3-8b:q4_k_m "Why is the sky blue?"
  git diff | swarmd chat -m qwen3-8b:q4_k_m "Write a commit message"
  echo "2 + 2?" | swarmd chat --json              {"model", "answer", "thoughts", "finish", "usage", "swarmd"}

It asks the running daemon of the data folder (--data); --port N asks the one
that listens there.
Next: swarmd models lists what can be asked.`,
    )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json, options } = call
  const named = optionText(call, 'model')
  // No model's name has a space in it, so `swarmd chat "Why is the sky blue?"` is a question.
  const nameFirst = named === null && call.args[0] !== undefined && !/\s/.test(call.args[0])
  const [first, words] = nameFirst ? [call.args[0], call.args.slice(1)] : [undefined, call.args]
  const question = [await pipedText(call), words.join(' ')].filter((part) => part !== '').join('\n\n')
  const maxTokens = parseLimit(optionText(call, 'maxTokens'))
  const { endpoint, model } = await findEndpoint(call, named ?? first ?? null, (seen, chosen) =>
    consent(call, seen, chosen),
  )
  const system = optionText(call, 'system')
  const thoughts = options['thoughts'] !== false

  if (question === '' && io.stdin.isTTY && !json) return converse(io, { endpoint, model, system, maxTokens, thoughts })
  if (question === '')
    throw DaemonError.CONFIG_INVALID(
      'What is the question? Give it as an argument (swarmd chat -m MODEL "…") or on standard input.',
    )

  const printer = new AnswerPrinter(io, { thoughts, silent: json })
  const cancel = new AbortController()
  const onInterrupt = (): void => cancel.abort()
  process.once('SIGINT', onInterrupt)
  try {
    const messages = [
      ...(system === null ? [] : [{ role: 'system' as const, content: system }]),
      { role: 'user' as const, content: question },
    ]
    const answer = await askChat(endpoint, { model, messages, maxTokens }, cancel.signal, (event) =>
      printer.show(event),
    )
    printer.end(null)
    if (json)
      io.json({
        model: answer.model,
        answer: answer.text,
        thoughts: answer.thoughts,
        finish: answer.finish,
        usage: answer.usage,
        swarmd: answer.swarmd,
      })
    return EXIT.ok
  } catch (error) {
    printer.end(null)
    if (cancel.signal.aborted) return EXIT.interrupted
    throw error
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}

/** A person is asked once whether deposits may be made. Throws `CANCELLED`. */
async function consent(call: CommandCall, { ledger, models, dataDir }: NodeSnapshot, model: string): Promise<void> {
  const named = models.filter(({ id, aliases }) => id.startsWith(model) || aliases.includes(model))
  if (named.some(({ local, price }) => !local && price !== null && !isFree(price)))
    await askBeforeChat(call, dataDir, ledger.money?.askDeposit, model)
}

function isFree({ input, cached, output }: PriceView): boolean {
  return [input, cached, output].every((amount) => amount === '0')
}

function parseLimit(given: string | null): number | null {
  if (given === null) return null
  const value = tokenLimit.parse(given)
  if (value === undefined)
    throw DaemonError.CONFIG_INVALID(`--max-tokens ${given} is not allowed; it must be ${tokenLimit.allowed}.`)
  return value
}
