/**
 * A peer that speaks the protocol by hand, byte by byte, and therefore can lie in every message. It knows no rules; the
 * tests tell it what to say and look at what it hears.
 */
import b4a from 'b4a'
import HyperDHT from 'hyperdht'
import Hyperswarm from 'hyperswarm'
import type { NoiseStream } from 'hyperswarm'
import Protomux from 'protomux'
import { boxKeyPair, signingKeyPair } from '../../swarm/crypto.js'
import type { KeyPair } from '../../swarm/crypto.js'
import { signOffer } from '../../swarm/offers/signed.js'
import type { AskBody, AskKeys, Offer, OfferTerms } from '../../swarm/port.js'
import { openAsk } from '../../swarm/sealing.js'
import type { Party, ResponseSeal } from '../../swarm/sealing.js'
import { MESSAGES, PROTOCOL } from '../../swarm/session/line.js'
import type { Ask } from '../../swarm/wire/ask.js'
import { decode, encode } from '../../swarm/wire/codec.js'
import type { WireMessage } from '../../swarm/wire/codec.js'
import type { Envelope } from '../../swarm/wire/offer.js'
import { lobbyTopic, modelTopic } from '../../swarm/topics.js'
import { NETWORK, terms } from './loopback-swarm.js'

export type Name = keyof typeof MESSAGES
export type ValueOf<K extends Name> = (typeof MESSAGES)[K] extends WireMessage<infer T> ? T : never

const NAMES = Object.keys(MESSAGES) as Name[]

/** One connection of a hostile peer. */
export class HostileLine {
  readonly stream: NoiseStream
  readonly closed: Promise<void>
  #send: ((bytes: Uint8Array) => void)[] = []
  #heard = new Map<Name, unknown[]>()
  #waiting: (() => void)[] = []
  #isClosed = false

  constructor(stream: NoiseStream) {
    this.stream = stream
    stream.on('error', () => {})
    this.closed = new Promise((resolve) => {
      stream.once('close', () => {
        this.#isClosed = true
        for (const wake of this.#waiting.splice(0)) wake()
        resolve()
      })
    })
    const channel = Protomux.from(stream).createChannel({ protocol: PROTOCOL })
    if (!channel) throw new Error('no channel')
    for (const name of NAMES) {
      const message = channel.addMessage<Uint8Array, Uint8Array>({
        encoding: {
          preencode: (state, bytes) => void (state.end += bytes.byteLength),
          encode: (state, bytes) => {
            state.buffer?.set(bytes, state.start)
            state.start += bytes.byteLength
          },
          decode: (state) => {
            const bytes = b4a.from((state.buffer ?? new Uint8Array()).subarray(state.start, state.end))
            state.start = state.end
            return bytes
          },
        },
        onmessage: (bytes) => this.#hear(name, bytes),
      })
      this.#send.push((bytes) => void message.send(bytes))
    }
    channel.open()
  }

  raw(name: Name, bytes: Uint8Array): void {
    this.#send[NAMES.indexOf(name)]?.(bytes)
  }

  say<K extends Name>(name: K, value: ValueOf<K>): void {
    this.raw(name, encode(MESSAGES[name] as unknown as WireMessage<ValueOf<K>>, value))
  }

  hello(over: Partial<ValueOf<'hello'>> = {}): void {
    this.say('hello', { versions: [1], software: 'liar/1', network: NETWORK, roles: ['consumer'], clock: 0, ...over })
  }

  /** The next message of that name; throws when the connection ends first. */
  async hear<K extends Name>(name: K): Promise<ValueOf<K>> {
    for (;;) {
      const value = this.#heard.get(name)?.shift()
      if (value !== undefined) return value as ValueOf<K>
      if (this.#isClosed) throw new Error(`the connection closed before a ${name}`)
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve)
      })
    }
  }

  #hear(name: Name, bytes: Uint8Array): void {
    const list = this.#heard.get(name) ?? []
    list.push(decode(MESSAGES[name] as unknown as WireMessage<unknown>, bytes))
    this.#heard.set(name, list)
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

/** An ask as the hostile provider got it, opened. */
export interface Heard {
  readonly line: HostileLine
  readonly ask: Ask
  readonly body: AskBody
  readonly keys: AskKeys
  readonly response: ResponseSeal
}

/** Of an ask that this side of the connection makes. */
export function partyOf({ stream }: HostileLine, network: Uint8Array = NETWORK): Party {
  return { network, consumer: stream.publicKey, session: stream.handshakeHash }
}

export class HostilePeer {
  readonly keyPair: KeyPair
  readonly network: Uint8Array
  readonly box = boxKeyPair()
  /** A well-signed offer, whatever stands behind it. */
  readonly offer: Offer
  readonly #envelope: Envelope
  #swarm: Hyperswarm
  #lines: HostileLine[] = []
  #waiting: ((line: HostileLine) => void)[] = []

  /** `over`: what it offers, e.g. a model that a daemon asks for, at a price. */
  constructor(
    bootstrap: readonly { readonly host: string; readonly port: number }[],
    network: Uint8Array = NETWORK,
    over: Partial<OfferTerms> = {},
  ) {
    const keyPair = signingKeyPair()
    this.keyPair = keyPair
    this.network = network
    this.#swarm = new Hyperswarm({ keyPair, dht: new HyperDHT({ bootstrap, host: '127.0.0.1' }) })
    this.#swarm.on('connection', (stream: NoiseStream) => {
      const line = new HostileLine(stream)
      const waiter = this.#waiting.shift()
      if (waiter) waiter(line)
      else this.#lines.push(line)
    })
    const issued = Date.now()
    const dates = { issued, expires: issued + 600_000, withdrawn: false }
    const signed = signOffer({ ...terms(), ...over, boxKey: this.box.publicKey, ...dates }, keyPair, network)
    this.offer = signed.offer
    this.#envelope = signed.envelope
  }

  async listen(): Promise<void> {
    await this.#swarm.listen()
  }

  /** Is found under its model's topic and in the lobby, as a daemon looks for it. */
  async announce(): Promise<void> {
    const topics = [modelTopic(this.network, this.offer.modelRoot, null), lobbyTopic(this.network, null)]
    await Promise.all(topics.map((topic) => this.#swarm.join(topic, { client: false, server: true }).flushed()))
  }

  /** Connects; null when the other side does not let it in. */
  async dial(key: Uint8Array): Promise<HostileLine | null> {
    await this.#swarm.dht.fullyBootstrapped()
    const hex = b4a.toString(key, 'hex')
    this.#swarm.joinPeer(key)
    try {
      return await new Promise<HostileLine | null>((resolve) => {
        const onUpdate = (): void => {
          if ((this.#swarm.peers.get(hex)?.attempts ?? 0) === 0 || this.#swarm.connections.size > 0) return
          this.#swarm.off('update', onUpdate)
          resolve(null)
        }
        this.#swarm.on('update', onUpdate)
        void this.connection().then((line) => {
          this.#swarm.off('update', onUpdate)
          resolve(line)
        })
      })
    } finally {
      this.#swarm.leavePeer(key)
    }
  }

  /** The next connection, whoever made it. */
  connection(): Promise<HostileLine> {
    const line = this.#lines.shift()
    if (line) return Promise.resolve(line)
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }

  /** Waits for a consumer's ask on its next connection, hello included. */
  async asked(): Promise<Heard> {
    const line = await this.connection()
    line.hello({ roles: ['provider'], network: this.network })
    line.say('offers', { offers: [this.#envelope] })
    const hello = await line.hear('hello')
    const ask = await line.hear('ask')
    const party = { ...partyOf(line, hello.network), consumer: line.stream.remotePublicKey }
    return { line, ask, ...openAsk(ask, this.box, party) }
  }

  close(): Promise<void> {
    return this.#swarm.destroy()
  }
}
