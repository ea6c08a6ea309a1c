/** Runs a node in the foreground until it is asked to end: what `up` and `serve` have in common. */
import type { LoadedConfig } from '../daemon/config.js'
import { codeOf, DaemonError } from '../daemon/errors.js'
import { createLog } from '../daemon/log.js'
import type { Node, NodeOptions } from '../daemon/node-options.js'
import { tilde } from '../daemon/paths.js'
import type { CommandCall } from './command.js'
import { askBeforeStart } from './deposit-consent.js'
import { EXIT, exitCodeOf } from './exit-codes.js'
import { unlocked } from './passphrase.js'
import { createScreen } from './screen.js'
import type { Screen } from './screen.js'
import { listenForEnd } from './signals.js'

export interface ForegroundPlan {
  readonly loaded: LoadedConfig
  readonly options: NodeOptions
  /** A model that cannot be served ends the command (`serve`), or is told and the rest goes on (`up`). */
  readonly modelFailure: 'end' | 'tell'
}

/** Resolves to the exit code after the node has closed. */
export async function runForeground(call: CommandCall, plan: ForegroundPlan): Promise<number> {
  const { io, json } = call
  const { options, loaded } = plan
  const screen = createScreen(io, json)
  const human = io.stdout.isTTY && !json
  const log = createLog({
    level: loaded.config.logLevel,
    file: loaded.config.logFile,
    human,
    write: human ? (line) => screen.line(io.paint('dim', line.trimEnd())) : (line) => io.err(line),
  })
  const event = (fields: Readonly<Record<string, unknown>>): void => {
    if (json) io.json(fields)
  }
  for (const warning of loaded.warnings) log.warn({}, warning)
  const end = listenForEnd(io)
  let node: Node | null = null
  try {
    const identity = await unlocked(call, options.dataDir)
    await askBeforeStart(call, options)
    const { startNode } = await import('../daemon/node.js')
    node = await startNode(identity === null ? options : { ...options, identity }, {
      onProgress: (progress) => screen.progress(progress),
      log,
    })
    event({
      event: 'listening',
      apiUrl: node.apiUrl,
      pid: process.pid,
      dataDir: options.dataDir,
      network: options.swarm?.network ?? null,
    })
    greet(call, screen, node, options)

    const first = await Promise.race([
      readiness(node),
      end.asked.then(() => 'ended' as const),
      node.closed.then(() => 'ended' as const),
    ])
    if (first !== 'ended') {
      if (first.error === null) tellReady(call, screen, node)
      else {
        const { message } = first.error
        event({ event: 'failed', code: codeOf(first.error), message })
        // What is wrong with the node itself ends any command; what is wrong with a model ends one that is about it.
        const own = first.error instanceof DaemonError
        if (own || plan.modelFailure === 'end') {
          if (!json) io.err(`swarmd: ${message}\n`)
          return own ? exitCodeOf(first.error.code) : EXIT.model
        }
        if (!json) screen.line(io.paint('yellow', `! ${message}`))
      }
      await Promise.race([end.asked, node.closed])
    }
    screen.line(io.paint('dim', 'Stopping … (Ctrl-C once more ends at once)'))
    return EXIT.ok
  } finally {
    screen.stop()
    await node?.close()
    event({ event: 'stopped' })
    await log.flush()
    end.dispose()
  }
}

function readiness(node: Node): Promise<{ readonly error: Error | null }> {
  return node.ready().then(
    () => ({ error: null }),
    (error: unknown) => ({ error: error instanceof Error ? error : new Error(String(error)) }),
  )
}

function greet(call: CommandCall, screen: Screen, node: Node, options: NodeOptions): void {
  const { io, version } = call
  const where = options.swarm === null ? 'offline' : `network ${options.swarm.network}`
  screen.line(`${io.paint('bold', `swarmd ${version}`)}  ${where}  data ${tilde(options.dataDir)}`)
  if (node.apiUrl === null) return
  screen.line(`  API     ${io.paint('cyan', `${node.apiUrl}/v1`)}${options.api?.key === null ? '' : '  (with key)'}`)
  screen.line(
    `  Use it  export OPENAI_BASE_URL=${node.apiUrl}/v1 OPENAI_API_KEY=${options.api?.key === null ? 'any' : '…'}`,
  )
}

function tellReady(call: CommandCall, screen: Screen, node: Node): void {
  const { io, json } = call
  const snapshot = node.snapshot()
  if (json) {
    const served = snapshot.served.map(({ name, root, source }) => ({ name, root, source }))
    return io.json({
      event: 'ready',
      network: snapshot.network.state,
      nodeKey: snapshot.nodeKey,
      peers: snapshot.peers.length,
      served,
    })
  }
  for (const model of snapshot.served) {
    const slots = `${model.slots} at a time`
    const context = model.contextLength === null ? '' : `, ${model.contextLength} tokens of context`
    screen.line(`  Serves  ${io.paint('green', model.name ?? model.source)}  ${slots}${context}`)
  }
  if (snapshot.nodeKey !== '') screen.line(`  Node    ${snapshot.nodeKey}`)
  for (const warning of snapshot.warnings) screen.line(io.paint('yellow', `! ${warning}`))
  screen.line(io.paint('dim', '  Next    swarmd models, swarmd chat, swarmd status; Ctrl-C stops'))
}
