/** Providers that only a chain speaks of: looked for by their node keys until one of them has said what it offers. */
import { setTimeout as sleep } from 'node:timers/promises'
import b4a from 'b4a'
import safetyCatch from 'safety-catch'
import type { Swarm } from '../../swarm/port.js'
import type { CatalogEntry } from './catalog.js'

/** Dialled at once. */
const MEET = 4
/** As long as the swarm takes to look a model up. */
const LOOK_MS = 3000

/** Resolves when the model is offered, or nobody can be reached. Never throws: what is offered then decides. */
export async function meet(
  swarm: Pick<Swarm, 'meet' | 'lookup' | 'offers'>,
  { root, listings }: Pick<CatalogEntry, 'root' | 'listings'>,
  signal: AbortSignal,
): Promise<void> {
  const model = b4a.from(root, 'hex')
  const offered = (): void => {
    if (!swarm.offers().some(({ modelRoot }) => b4a.equals(modelRoot, model))) throw new Error('not offered')
  }
  const dialled = listings.slice(0, MEET).map(({ nodeKey }) => swarm.meet(nodeKey, signal).then(offered))
  // Their topic as well: others may serve it by now.
  await Promise.any([...dialled, swarm.lookup(model).then(offered)]).catch(safetyCatch)
}

/** The chain's answer, as far as it comes while the swarm is looked at. Never rejects. */
export async function soon(look: Promise<void> | undefined): Promise<void> {
  if (!look) return
  const late = new AbortController()
  const bound = sleep(LOOK_MS, null, { signal: late.signal }).catch(safetyCatch)
  await Promise.race([look.catch(safetyCatch), bound])
  late.abort()
}
