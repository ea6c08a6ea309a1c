/** Long work that reports through a callback, as a stream that whoever reads it may read slowly. */
import type { HistoryItem } from './items.js'

/** Yields how far the work is, the newest only, and returns what it resolves to. */
export async function* watched<T>(
  start: (tell: (done: number, total: number, doing?: string) => void) => Promise<T>,
): AsyncGenerator<HistoryItem, T> {
  let newest: { readonly done: number; readonly total: number; readonly doing?: string } | null = null
  let wake = (): void => undefined
  const work = start((done, total, doing) => {
    newest = doing === undefined ? { done, total } : { done, total, doing }
    wake()
  })
  let ended = false
  const end = work
    .then(
      () => undefined,
      () => undefined,
    )
    .then(() => {
      ended = true
      wake()
    })
  for (;;) {
    await new Promise<void>((resolve) => {
      wake = resolve
      if (ended || newest !== null) resolve()
    })
    if (ended) break
    const progress = take()
    if (progress) yield { progress }
  }
  await end
  return work

  function take(): typeof newest {
    const one = newest
    newest = null
    return one
  }
}
