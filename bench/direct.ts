/** The parent's side of `direct-loop.ts`. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { DirectAnswer, DirectCall, DirectSettings } from './direct-loop.js'

export interface Direct {
  /** Tokens that end a generation: banned on both sides, so that both decode the same number. */
  readonly ends: readonly number[]
  first(text: string): Promise<DirectAnswer>
  decode(text: string, count: number): Promise<DirectAnswer>
  close(): Promise<void>
}

/** Loads the file in a child of its own. One call at a time. */
export async function loadDirect(settings: DirectSettings): Promise<Direct> {
  const child = fork(fileURLToPath(new URL('./direct-loop.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const call = (message: DirectCall): Promise<DirectAnswer> =>
    new Promise((resolve, reject) => {
      const lost = (): void => reject(new Error('the bare script ended'))
      child.once('disconnect', lost)
      child.once('message', (answer) => {
        child.off('disconnect', lost)
        resolve(answer as DirectAnswer)
      })
      child.send(message)
    })
  const { ends } = await call({ kind: 'load', settings })
  return {
    ends,
    first: (text) => call({ kind: 'first', text }),
    decode: (text, count) => call({ kind: 'decode', text, count }),
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill()
      await exited
    },
  }
}
