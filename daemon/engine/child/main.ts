/** Entry of the engine host process: one model, driven over the IPC channel of `child_process.fork`. */
import { EngineError } from '../errors.js'
import type { FromChild, ToChild } from '../protocol.js'
import { EngineHost, wireError } from './host.js'
import { loadModel } from './model.js'

/** Messages of one turn of the event loop travel together: one write for all streams of a batch. */
let outbox: FromChild[] = []
let host: EngineHost | null = null

function flush(): void {
  const messages = outbox
  outbox = []
  if (messages.length === 0) return
  if (process.connected) process.send?.(messages, undefined, {}, () => undefined)
}

function send(message: FromChild): void {
  if (outbox.push(message) === 1) setImmediate(flush)
}

async function load(options: Extract<ToChild, { type: 'load' }>['options']): Promise<void> {
  try {
    let reported = -1
    const loaded = await loadModel(options, {
      onProgress: (fraction) => {
        const done = Math.round(fraction * 100)
        if (done !== reported) send({ type: 'progress', done, total: 100 })
        reported = done
      },
      log: (level, text) => send({ type: 'log', level, text }),
    })
    host = new EngineHost(loaded, options, { send, flush })
    send({ type: 'ready', facts: loaded.facts })
  } catch (error) {
    const known = error instanceof EngineError ? error : EngineError.MODEL_LOAD_FAILED(wireError(error).message)
    send({ type: 'failed', error: wireError(known) })
  }
}

process.on('message', (message: ToChild) => {
  if (message.type === 'load') void load(message.options)
  else if (message.type === 'close') process.exit(0)
  else if (host !== null) host.receive(message)
  else if (message.type === 'ping') send({ type: 'pong', computing: [] })
})
// Without its daemon a host has no purpose.
process.on('disconnect', () => process.exit(0))
// Ctrl-C reaches the whole process group: the daemon decides when its hosts end.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => process.exit(0))
