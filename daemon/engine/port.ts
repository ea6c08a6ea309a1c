/**
 * What an engine is to the daemon: something that loads one model and computes. Implementations: the llama host
 * (a child process, `host.ts`) and the mock (`mock.ts`).
 *
 * Failures are thrown as `EngineError` with a `code`.
 */
import type { Message, Sampling } from '../../proxy/port.js'

export interface ModelInfo {
  /** Merkle root of the GGUF file, 32 bytes. */
  readonly root: Uint8Array
  /** `smollm2-135m-instruct:q4_1`, from the file's metadata. */
  readonly name: string
  readonly quantisation: string
  readonly architecture: string
  readonly parameters: number
  readonly fileBytes: number
  /** The context length this host runs with (per slot), at most the model's own. */
  readonly contextLength: number
  readonly vocabulary: number
  readonly slots: number
  readonly chat: boolean
  readonly thoughts: boolean
  readonly embeddings: boolean
  readonly mock: boolean
  readonly notice: string | null
  /** Text of the chat template; null = the model has none; absent = this engine does not say. */
  readonly template?: string | null
  /** Selects the audit's null table later. */
  readonly runtime: Runtime
}

export interface Runtime {
  readonly library: string
  readonly release: string
  readonly backend: string
  readonly cpuVariant: string
  readonly flashAttention: boolean
  readonly kvTypes: string
  readonly batchSize: number
}

export interface GenerateJob {
  readonly prompt:
    | { readonly kind: 'chat'; readonly messages: readonly Message[] }
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'tokens'; readonly tokens: readonly number[] }
  readonly sampling: Sampling & { readonly seed: bigint }
  /** Counts from position 0, resumed tokens included; null = the rest of the context. */
  readonly maxTokens: number | null
  readonly stop: readonly string[]
  readonly logprobs: number | null
  /**
   * Output tokens that were delivered already (by another provider): they are prefilled after the prompt, not emitted
   * again, and sampling goes on at position `resume.length`.
   */
  readonly resume: readonly number[]
  /** Who asks; the queue is fair between parties. `local` goes before strangers. */
  readonly party: string
  /** Awaited between `admitted` and the first prefill (a payment, say); absent = computing begins at once. */
  readonly hold?: () => Promise<void>
  /** Takes down what an audit asks for later; absent = nothing is gathered. Engines that cannot say it never call it. */
  readonly evidence?: EvidenceSink
}

/** What computing one answer left behind, apart from its events: it also comes when those have no reader any more. */
export interface EvidenceSink {
  /** Once, before anything is computed: the prompt as rendered and tokenised, resumed tokens excluded. */
  prompt(tokens: Uint32Array): void
  /**
   * Output positions from `index` on, without a hole between two calls, at most 32 each, and every position that was told
   * in an event once the request is over. 52 bytes a position: token u32 LE, then the best 8 candidates, best first,
   * each as token u32 LE and logprob int16 LE in 1/1024 nat (docs/sampling.md).
   */
  block(index: number, positions: Uint8Array): void
  /** Nothing more comes, whatever the reason. */
  end(): void
}

/** One output position. `top`: the best 8 (token, logprob over the 64), or as many as `logprobs` asks, best first. */
export interface Position {
  readonly token: number
  readonly logprob: number
  readonly bytes: Uint8Array
  readonly top: readonly { readonly token: number; readonly logprob: number; readonly bytes: Uint8Array }[]
}

export type EngineEvent =
  | { readonly type: 'queued'; readonly position: number }
  /** Once, when rendered and tokenised: the prompt's length, and how much of it is reused from the cache. */
  | { readonly type: 'admitted'; readonly promptTokens: number; readonly cachedTokens: number }
  | { readonly type: 'prefill'; readonly done: number; readonly total: number }
  /**
   * New output. `index`: output position of the first token. Tokens and text need not line up (a held-back stop string
   * or half a character), but all text has been sent at `done`. `channel` is constant within one event.
   * `positions` is null unless the job asked for logprobs.
   */
  | {
      readonly type: 'tokens'
      readonly index: number
      readonly tokens: readonly number[]
      readonly channel: 'text' | 'thought'
      readonly text: string
      readonly positions: readonly Position[] | null
    }
  | {
      readonly type: 'done'
      /** `stop`: end-of-generation token or a stop string; `length`: maxTokens or context full. */
      readonly finish: 'stop' | 'length'
      /** The stop string that ended it, if one did. */
      readonly stopText: string | null
      readonly usage: {
        readonly prompt: number
        readonly cached: number
        readonly output: number
        readonly thought: number
      }
    }

export interface EmbedJob {
  readonly inputs: readonly (string | readonly number[])[]
  readonly party: string
}

export interface EngineLoad {
  /** Requests that decode now, and that wait. */
  readonly active: number
  readonly queued: number
  readonly slots: number
  readonly queueLimit: number
  readonly state: 'loading' | 'ready' | 'restarting' | 'closed'
}

export interface Engine {
  /** Resolves when the model answers; rejects with an `EngineError` that says what to do. Idempotent. */
  ready(): Promise<void>
  /** Throws `ENGINE_NOT_READY` before `ready()`. */
  readonly info: ModelInfo
  readonly load: EngineLoad
  /**
   * Ends after one `done`, or throws: `CONTEXT_LENGTH_EXCEEDED` (with both numbers in `context`), `QUEUE_FULL`,
   * `BAD_REQUEST`, `NO_CHAT_TEMPLATE`, `ENGINE_CRASHED`, `CANCELLED`. Aborting, or returning from the iterator early, stops the decode within one batch. The
   * consumer's pace is the back-pressure: at most a bounded number of events is buffered.
   */
  generate(job: GenerateJob, signal: AbortSignal): AsyncIterable<EngineEvent>
  embed(
    job: EmbedJob,
    signal: AbortSignal,
  ): Promise<{ readonly vectors: readonly Float32Array[]; readonly promptTokens: number }>
  close(): Promise<void>
}
