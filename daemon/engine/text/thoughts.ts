/**
 * Splits thoughts from the answer in a stream of text. A section opens with a marker at any place of the text and ends with its
 * own closing marker; markers may be cut anywhere by token borders and are never sent on.
 */
export interface ThoughtMarkers {
  readonly open: string
  readonly close: string
}

/** Families by their markers, most specific first. A model uses the first pair that its template or vocabulary names. */
export const THOUGHT_MARKERS: readonly ThoughtMarkers[] = [
  { open: '<think>', close: '</think>' },
  { open: '<thinking>', close: '</thinking>' },
  { open: '<|begin_of_thought|>', close: '<|end_of_thought|>' },
  { open: '<seed:think>', close: '</seed:think>' },
  { open: '[THINK]', close: '[/THINK]' },
  { open: '<reasoning>', close: '</reasoning>' },
  { open: '<|START_THINKING|>', close: '<|END_THINKING|>' },
  { open: '<thought>', close: '</thought>' },
]

export function detectMarkers(template: string, inVocabulary: (name: string) => boolean): ThoughtMarkers | null {
  return (
    THOUGHT_MARKERS.find(
      ({ open, close }) =>
        template.includes(open) || template.includes(close) || (inVocabulary(open) && inVocabulary(close)),
    ) ?? null
  )
}

export interface Segment {
  readonly channel: 'text' | 'thought'
  readonly text: string
}

export class ThoughtSplitter {
  readonly #markers: ThoughtMarkers | null
  #inside: boolean
  /** Blank lines right after a marker belong to the marker, as every template writes them. */
  #trim: boolean
  #held = ''

  /** `inside`: the template's generation prompt has opened the thought already. */
  constructor(markers: ThoughtMarkers | null, inside: boolean) {
    this.#markers = markers
    this.#inside = inside
    this.#trim = inside
  }

  get inside(): boolean {
    return this.#inside
  }

  push(text: string): Segment[] {
    if (this.#markers === null) return text === '' ? [] : [{ channel: 'text', text }]
    const segments: Segment[] = []
    let rest = this.#held + text
    this.#held = ''
    for (;;) {
      const marker = this.#inside ? this.#markers.close : this.#markers.open
      const at = rest.indexOf(marker)
      if (at === -1) break
      this.#emit(segments, rest.slice(0, at))
      this.#inside = !this.#inside
      this.#trim = true
      rest = rest.slice(at + marker.length)
    }
    const keep = overlap(rest, this.#inside ? this.#markers.close : this.#markers.open)
    this.#held = rest.slice(rest.length - keep)
    this.#emit(segments, rest.slice(0, rest.length - keep))
    return segments
  }

  /** The stream is over: what looked like the start of a marker was text. */
  end(): Segment[] {
    const segments: Segment[] = []
    this.#emit(segments, this.#held)
    this.#held = ''
    return segments
  }

  #emit(segments: Segment[], text: string): void {
    const kept = this.#trim ? text.replace(/^\n+/, '') : text
    if (kept === '') return
    this.#trim = false
    segments.push({ channel: this.#inside ? 'thought' : 'text', text: kept })
  }
}

/** Length of the longest proper prefix of `marker` that `text` ends with. */
export function overlap(text: string, marker: string): number {
  for (let length = Math.min(text.length, marker.length - 1); length > 0; length--) {
    if (text.endsWith(marker.slice(0, length))) return length
  }
  return 0
}
