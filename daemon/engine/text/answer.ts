/**
 * From output tokens to text: bytes → whole characters → thoughts and answer → stop strings. State is a function of the
 * tokens so far, so a resumed stream replays its tokens here and goes on as if it had never been cut.
 */
import type { ThoughtMarkers, Segment } from './thoughts.js'
import { ThoughtSplitter } from './thoughts.js'
import { StopMatcher } from './stop.js'
import type { Vocabulary } from './vocabulary.js'

export interface AnswerOptions {
  readonly vocabulary: Vocabulary
  readonly markers: ThoughtMarkers | null
  /** The generation prompt ends inside a thought. */
  readonly insideThought: boolean
  readonly stop: readonly string[]
}

export class AnswerText {
  readonly #vocabulary: Vocabulary
  readonly #markers: ThoughtMarkers | null
  readonly #thoughts: ThoughtSplitter
  readonly #stops: StopMatcher
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  /** The decoder holds no part of a character. */
  #whole = true
  #stopText: string | null = null
  #thoughtTokens = 0

  constructor(options: AnswerOptions) {
    this.#vocabulary = options.vocabulary
    this.#markers = options.markers
    this.#thoughts = new ThoughtSplitter(options.markers, options.insideThought)
    this.#stops = new StopMatcher(options.stop)
  }

  /** The stop string that ended the answer; text after it is dropped. */
  get stopText(): string | null {
    return this.#stopText
  }

  /** Tokens that belong to thoughts, markers included. */
  get thoughtTokens(): number {
    return this.#thoughtTokens
  }

  /** The channel that the text after the last token belongs to. */
  get channel(): 'text' | 'thought' {
    return this.#thoughts.inside ? 'thought' : 'text'
  }

  push(token: number): Segment[] {
    const before = this.#thoughts.inside
    const segments = this.#through(this.#thoughts.push(this.#text(token)))
    if (before || this.#thoughts.inside) this.#thoughtTokens++
    return segments
  }

  /** Everything still held back. Half a character becomes U+FFFD. */
  end(): Segment[] {
    if (this.#stopText !== null) return []
    const segments = this.#through([...this.#thoughts.push(this.#decoder.decode()), ...this.#thoughts.end()])
    const rest = this.#stopText === null ? this.#stops.end() : ''
    if (rest !== '') segments.push({ channel: 'text', text: rest })
    return segments
  }

  #text(token: number): string {
    const marker = this.#marker(token)
    const plain = marker ?? this.#vocabulary.plain(token)
    if (this.#whole && plain !== null) return plain
    const bytes = marker === null ? this.#vocabulary.bytes(token) : Buffer.from(marker, 'utf8')
    // After ASCII nothing is held; after other bytes there may be.
    this.#whole = (bytes.at(-1) ?? 0xff) < 0x80
    return this.#decoder.decode(bytes, { stream: true })
  }

  /** A thought marker counts as text even where the vocabulary has it as a control token. */
  #marker(token: number): string | null {
    if (this.#markers === null || this.#vocabulary.kind(token) !== 'control') return null
    const name = this.#vocabulary.name(token)
    return name === this.#markers.open || name === this.#markers.close ? name : null
  }

  /** Stop strings count in the answer only, never in thoughts. */
  #through(segments: readonly Segment[]): Segment[] {
    const out: Segment[] = []
    for (const segment of segments) {
      if (this.#stopText !== null) break
      if (segment.channel === 'thought') {
        // A thought cuts the answer: what was held back can no longer become a stop string.
        const held = this.#stops.end()
        if (held !== '') out.push({ channel: 'text', text: held })
        out.push(segment)
        continue
      }
      const { text, stop } = this.#stops.push(segment.text)
      if (text !== '') out.push({ channel: 'text', text })
      this.#stopText = stop
    }
    return out
  }
}
