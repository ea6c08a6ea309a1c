/**
 * How a foreground node is asked to end: the first SIGINT or SIGTERM asks, the second ends the process at once. SIGHUP is
 * ignored, so that a closed terminal does not take a node with it.
 */
import type { Io } from './io.js'
import { EXIT } from './exit-codes.js'

export interface EndSignal {
  /** Resolves with the first signal's name. */
  readonly asked: Promise<'SIGINT' | 'SIGTERM'>
  dispose(): void
}

export function listenForEnd(io: Io): EndSignal {
  let count = 0
  let resolveAsked: (signal: 'SIGINT' | 'SIGTERM') => void
  const asked = new Promise<'SIGINT' | 'SIGTERM'>((resolve) => {
    resolveAsked = resolve
  })
  const onEnd = (signal: 'SIGINT' | 'SIGTERM'): void => {
    count += 1
    if (count > 1) io.exit(EXIT.interrupted)
    resolveAsked(signal)
  }
  const onHangUp = (): void => undefined
  process.on('SIGINT', onEnd)
  process.on('SIGTERM', onEnd)
  process.on('SIGHUP', onHangUp)
  // Started by a swarmd (the demonstration): the channel between them closes with the parent, however that ends.
  const onOrphaned = (): void => resolveAsked('SIGTERM')
  process.on('disconnect', onOrphaned)
  return {
    asked,
    dispose() {
      process.off('SIGINT', onEnd)
      process.off('SIGTERM', onEnd)
      process.off('SIGHUP', onHangUp)
      process.off('disconnect', onOrphaned)
    },
  }
}
