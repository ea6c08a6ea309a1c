/** `swarmd chat`: a conversation in the terminal, or one question and its answer. */
import type { Command } from 'commander'
import { integer } from '../../daemon/config-kinds.js'
import type { ControlClient } from '../../daemon/control/client.js'
import type { ModelView, NodeSnapshot, PriceView } from '../../daemon/control/snapshot.js'
import { DaemonError } from '../../daemon/errors.js'
import { readApiKey } from '../../daemon/config-options.js'
import { askChat } from '../chat-client.js'
import type { ChatEndpoint } from '../chat-client.js'
import { AnswerPrinter } from '../chat-printer.js'
import { converse } from '../chat-session.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { askBeforeChat } from '../deposit-consent.js'
import { connectRunning, loadSettings } from '../running.js'

const tokenLimit = integer(1, 16_777_216)
const MAX_QUESTION_BYTES = 10 * 1_048_576
const MODEL_PATIENCE_MS = 10_000

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
  const { endpoint, model } = await findEndpoint(call, named ?? first ?? null)
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

/**
 * The running daemon of the data folder; or, when a port was given, whatever listens there. `wanted` null = the model served
 * here, or the only one there is.
 */
async function findEndpoint(
  call: CommandCall,
  wanted: string | null,
): Promise<{ readonly endpoint: ChatEndpoint; readonly model: string }> {
  const loaded = await loadSettings(call)
  const key = readApiKey(loaded)
  const { from } = loaded.origins.port
  if ((from === 'flag' || from === 'environment') && loaded.config.port !== 0) {
    if (wanted === null) throw DaemonError.CONFIG_INVALID('Which model? With --port it has to be named (-m MODEL).')
    return { endpoint: { baseUrl: `http://${loaded.config.host}:${loaded.config.port}/v1`, key }, model: wanted }
  }
  const client = await connectRunning(call, loaded)
  try {
    const { api } = await client.snapshot()
    if (api === null)
      throw DaemonError.NOT_RUNNING('The running daemon has no API (--no-api), so it cannot be talked to.')
    const model = wanted ?? (await chooseModel(client, call))
    const { ledger, models, dataDir } = await client.snapshot()
    const named = models.filter(({ id, aliases }) => id.startsWith(model) || aliases.includes(model))
    if (named.some(({ local, price }) => !local && price !== null && !isFree(price)))
      await askBeforeChat(call, dataDir, ledger.money?.askDeposit, model)
    return { endpoint: { baseUrl: `${api.url}/v1`, key }, model }
  } finally {
    client.close()
  }
}

/** A node that has just started may still be looking around or loading: waits a while for a first model. */
async function chooseModel(client: ControlClient, { io, json }: CommandCall): Promise<string> {
  const patience = AbortSignal.timeout(MODEL_PATIENCE_MS)
  const tell = io.stdout.isTTY && !json
  let models: readonly ModelView[] = []
  await new Promise<void>((resolve, reject) => {
    const look = (snapshot: NodeSnapshot): void => {
      models = snapshot.models.filter((model) => model.features.includes('chat'))
      // What is served here may still be loading, and comes first.
      const loading = snapshot.served.some(
        ({ state }) => state === 'downloading' || state === 'hashing' || state === 'loading',
      )
      if (models.length > 0 && !loading) resolve()
    }
    client.subscribe(look).then((snapshot) => {
      look(snapshot)
      if (models.length === 0 && tell) io.out(io.paint('dim', 'Looking for a model …\n'))
    }, reject)
    patience.addEventListener('abort', () => resolve(), { once: true })
    void client.closed.then(() => resolve())
  })
  const chosen = models.find((model) => model.local) ?? (models.length === 1 ? models[0] : undefined)
  if (chosen !== undefined) return chosen.id
  const names = models.map((model) => model.id).join(', ')
  throw DaemonError.CONFIG_INVALID(
    models.length === 0
      ? 'No model can be chatted with yet. "swarmd models" lists what can be asked.'
      : `Which model? Name one with -m: ${names}.`,
  )
}

/** What was piped in, without the last line's end; '' on a terminal. */
async function pipedText(call: CommandCall): Promise<string> {
  const { stdin } = call.io
  if (stdin.isTTY) return ''
  const parts: Buffer[] = []
  let size = 0
  for await (const chunk of stdin) {
    const part = Buffer.from(chunk as Uint8Array)
    size += part.length
    if (size > MAX_QUESTION_BYTES)
      throw DaemonError.CONFIG_INVALID(`Standard input is larger than ${MAX_QUESTION_BYTES} bytes.`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8').trimEnd()
}
