/** Questions to the chain that a request waits for: not for ever, and with words for whoever asked. */
import { setTimeout as sleep } from 'node:timers/promises'
import safetyCatch from 'safety-catch'
import { codeOf } from '../errors.js'
import type { PaymentError } from '../payment/errors.js'

const PATIENCE_MS = 30_000

export interface AskingOptions {
  /** The error that the chain's trouble becomes. */
  readonly refusal: (message: string) => PaymentError
  /** Words for a chain that is another one than before. */
  readonly wrongChain: (error: Error) => string
  /** Words for a wallet that cannot pay. */
  readonly poor: (error: Error) => Promise<string>
}

/** What is under way goes on when nobody waits any longer: the next ask finds it. What is no trouble of the chain is thrown as it is. */
export async function asking<T>(ask: () => Promise<T>, options: AskingOptions): Promise<T> {
  const { refusal } = options
  const late = new AbortController()
  const asked = ask()
  asked.catch(safetyCatch)
  try {
    return await Promise.race([
      asked,
      sleep(PATIENCE_MS, null, { signal: late.signal }).then(() => {
        throw refusal('The chain has not answered in time: ask again in a moment.')
      }),
    ])
  } catch (error) {
    const words = await wordsOf(error, options)
    throw words === null ? error : refusal(words)
  } finally {
    late.abort()
  }
}

async function wordsOf(error: unknown, { wrongChain, poor }: AskingOptions): Promise<string | null> {
  const code = codeOf(error)
  if (!(error instanceof Error) || code === null) return null
  if (code === 'WRONG_CHAIN') return wrongChain(error)
  if (code.startsWith('RPC_')) return `The chain cannot be asked, so nothing can be paid now. ${error.message}`
  if (code === 'INSUFFICIENT_FUNDS') return poor(error)
  return /^(TX|BLOCKHASH|PROGRAM)_/.test(code) ? error.message : null
}
