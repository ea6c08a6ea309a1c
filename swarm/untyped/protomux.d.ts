/** What we call of protomux 3.12, which ships no types. */
declare module 'protomux' {
  import type { State } from 'compact-encoding'
  import type { NoiseStream } from 'hyperswarm'

  export interface MessageEncoding<In, Out> {
    preencode(state: State, value: In): void
    encode(state: State, value: In): void
    decode(state: State): Out
  }

  export interface Message<In> {
    /** False when the socket's buffer is full; `ondrain` follows. */
    send(value: In): boolean
  }

  export interface Channel {
    readonly opened: boolean
    readonly closed: boolean
    readonly drained: boolean
    addMessage<In, Out>(options: {
      readonly encoding: MessageEncoding<In, Out>
      onmessage(value: Out): void
    }): Message<In>
    open(): void
    close(): void
    cork(): void
    uncork(): void
  }

  export default class Protomux {
    static from(stream: NoiseStream): Protomux
    readonly stream: NoiseStream
    /** Depth of nested corks. */
    readonly corked: number
    /** Null when the stream is gone or the protocol is open already. */
    createChannel(options: {
      readonly protocol: string
      readonly id?: Uint8Array | null
      onopen?(): void
      onclose?(): void
      ondrain?(): void
    }): Channel | null
  }
}
