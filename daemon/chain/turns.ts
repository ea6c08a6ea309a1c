/** Something that is done again and again, one turn at a time. */
import safetyCatch from 'safety-catch'

/** Turns at a fixed distance until it is stopped; one that takes longer is not overtaken by the next. */
export function every(ms: number, turn: () => Promise<void>): () => void {
  let busy = false
  const once = async (): Promise<void> => {
    if (busy) return
    busy = true
    try {
      await turn()
    } finally {
      busy = false
    }
  }
  const timer = setInterval(() => void once().catch(safetyCatch), ms)
  timer.unref()
  return () => clearInterval(timer)
}
