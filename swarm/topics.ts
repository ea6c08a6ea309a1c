/** Where peers meet on the DHT. The invite of a private swarm is part of every topic, so outsiders look elsewhere. */
import { hash } from './crypto.js'

/** BLAKE2b-256("swarmd/1/model", network, model root [, invite]). */
export function modelTopic(network: Uint8Array, modelRoot: Uint8Array, invite: Uint8Array | null): Uint8Array {
  return invite ? hash('swarmd/1/model', network, modelRoot, invite) : hash('swarmd/1/model', network, modelRoot)
}

/** BLAKE2b-256("swarmd/1/lobby", network [, invite]): who is here, whatever they serve. */
export function lobbyTopic(network: Uint8Array, invite: Uint8Array | null): Uint8Array {
  return invite ? hash('swarmd/1/lobby', network, invite) : hash('swarmd/1/lobby', network)
}

/** A lobby of this many announcers is a good sample and no hot spot. */
const LOBBY_ANNOUNCERS = 256

/** The probability with which a provider announces itself in the lobby of a network of `estimatedSize` providers. */
export function lobbyProbability(estimatedSize: number): number {
  return Math.min(1, LOBBY_ANNOUNCERS / Math.max(1, estimatedSize))
}
