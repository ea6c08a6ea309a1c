/** The model topics somebody here asks about: a bounded number of watches, the oldest given up first. */
import b4a from 'b4a'
import type Hyperswarm from 'hyperswarm'
import safetyCatch from 'safety-catch'
import { modelTopic } from './topics.js'
import { within } from './waiting.js'
import { Watch } from './watch.js'

export const MAX_LOOKUPS = 64
const LOOKUP_MS = 3000

export class Lookups {
  #swarm: Hyperswarm
  #topicOf: (modelRoot: Uint8Array) => Uint8Array
  #offered: (modelRoot: Uint8Array) => boolean
  #watches = new Map<string, Watch>()

  /** `offered`: somebody is known to serve the model, so there is no hurry to look again. */
  constructor(
    swarm: Hyperswarm,
    network: Uint8Array,
    invite: Uint8Array | null,
    offered: (modelRoot: Uint8Array) => boolean,
  ) {
    this.#swarm = swarm
    this.#topicOf = (modelRoot) => modelTopic(network, modelRoot, invite)
    this.#offered = offered
  }

  has(modelRoot: Uint8Array): boolean {
    return this.#watches.has(b4a.toString(modelRoot, 'hex'))
  }

  /** Resolves after a round of the lookup, or a bound. */
  look(modelRoot: Uint8Array): Promise<void> {
    const key = b4a.toString(modelRoot, 'hex')
    let watch = this.#watches.get(key)
    if (!watch) {
      this.#makeRoom()
      watch = new Watch(this.#swarm, this.#topicOf(modelRoot), () => this.#offered(modelRoot))
      this.#watches.set(key, watch)
    } else if (!this.#offered(modelRoot)) {
      watch.look().catch(safetyCatch)
    }
    return within(watch.round, LOOKUP_MS)
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.close()
  }

  /** Its peers stay connected as long as they are of use. */
  #makeRoom(): void {
    const [oldest] = this.#watches
    if (!oldest || this.#watches.size < MAX_LOOKUPS) return
    this.#watches.delete(oldest[0])
    oldest[1].leave().catch(safetyCatch)
  }
}
