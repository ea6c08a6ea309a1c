/** Whom a question in the terminal goes to, and what was piped in with it. */
import type { ControlClient } from '../daemon/control/client.js'
import type { ModelView, NodeSnapshot } from '../daemon/control/snapshot.js'
import { readApiKey } from '../daemon/config-options.js'
import { DaemonError } from '../daemon/errors.js'
import type { ChatEndpoint } from './chat-client.js'
import type { CommandCall } from './command.js'
import { connectRunning, loadSettings } from './running.js'

const MAX_QUESTION_BYTES = 10 * 1_048_576
const MODEL_PATIENCE_MS = 10_000

/**
 * The running daemon of the data folder; or, when a port was given, whatever listens there. `wanted` null = the model served
 * here, or the only one there is. `before`: what is settled with the person first.
 */
export async function findEndpoint(
  call: CommandCall,
  wanted: string | null,
  before: (seen: NodeSnapshot, model: string) => Promise<void> = () => Promise.resolve(),
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
    await before(await client.snapshot(), model)
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
export async function pipedText(call: CommandCall): Promise<string> {
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
