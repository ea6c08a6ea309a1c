/** An exported transaction, checked by somebody who has nothing but the file: no network, no data folder, no trust. */
import { parseExport, verifyExport } from '../../ledger/proof.js'
import type { Export } from '../../ledger/proof.js'
import { decodeWindow, WINDOW } from '../../ledger/token-root.js'
import type { OutputPosition } from '../../ledger/token-root.js'
import { LedgerError } from '../../ledger/errors.js'
import { exchangeJson, exchangeOf } from './contents.js'
import type { Detail } from './items.js'
import { detailOf } from './views.js'

export interface VerifiedFile {
  readonly detail: Omit<Detail, 'position' | 'role' | 'peer'>
  /** Request and response as JSON; null when the file does not disclose them, or this version cannot read them. */
  readonly exchange: string | null
  /** The shown windows of the output; empty when they are not under the signed root. */
  readonly windows: readonly VerifiedWindow[]
  /** What follows from the good checks, and what does not follow from any: sentences for a person. */
  readonly proven: readonly string[]
  readonly unproven: readonly string[]
}

export interface VerifiedWindow {
  /** Output position of the first one, counted from where this provider began. */
  readonly first: number
  /** `logprob` in nats, best first. */
  readonly positions: readonly OutputPosition[]
}

/** Throws `BAD_EXPORT`, `BAD_ENCODING` or `UNKNOWN_VERSION` for a file that is no export of ours. */
export function verifyFile(text: string): VerifiedFile {
  const data = parseExport(text)
  const verdict = verifyExport(data)
  const { statement } = data.transaction
  const entry = { role: 'consumer', times: statement.times, body: null, transaction: data.transaction } as const
  const content = data.disclosure ? 'kept' : 'never kept'
  const whole = detailOf({ position: 0, entry }, { nameOf: () => null }, content, verdict)
  const { position: _position, role: _role, peer: _peer, ...detail } = whole
  const result = (name: string): string | undefined => verdict.checks.find((check) => check.name === name)?.result
  const disclosed = result('content') === 'good'
  return {
    detail: { ...detail, checks: verdict.checks },
    exchange: disclosed && data.disclosure ? readable(data.disclosure.content) : null,
    windows: result('output windows') === 'good' ? data.windows.map(shown) : [],
    ...claims({
      provider: result('provider signature') === 'good',
      consumer: result('consumer signature') === 'good',
      statement: result('statement') === 'good',
      disclosed,
      windows: result('output windows') === 'good',
      holds: verdict.holds,
    }),
  }
}

interface Good {
  readonly provider: boolean
  readonly consumer: boolean
  readonly statement: boolean
  readonly disclosed: boolean
  readonly windows: boolean
  readonly holds: boolean
}

function claims(good: Good): Pick<VerifiedFile, 'proven' | 'unproven'> {
  const proven: string[] = []
  const unproven: string[] = []
  const say = (holds: boolean, yes: string, no: string): void => void (holds ? proven.push(yes) : unproven.push(no))
  if (!good.holds) return { proven, unproven: ['Nothing: something in this file is not what was signed.'] }
  say(good.provider, 'The holder of the provider key states all of this.', 'That the provider agrees: it did not sign.')
  say(good.consumer, 'The holder of the consumer key states all of this.', 'That the consumer agrees: it did not sign.')
  say(good.statement, 'The cost is the tokens times the prices.', 'That the cost follows from tokens and prices.')
  say(
    good.disclosed,
    'The request and the answer in this file are those that were signed.',
    'What was asked and answered: the file does not show it.',
  )
  if (good.windows) proven.push('The shown parts of the output are under the signed root.')
  unproven.push('When it happened: the times are what the signer says.')
  unproven.push('That the stated model computed the answer: that takes an audit.')
  unproven.push('Who is behind the keys, and that anything was paid.')
  return { proven, unproven }
}

function shown({ width, proof }: Export['windows'][number]): VerifiedWindow {
  return { first: proof.window * WINDOW, positions: decodeWindow(proof.bytes, width) }
}

function readable(content: { readonly request: Uint8Array; readonly response: Uint8Array }): string | null {
  try {
    return exchangeJson(exchangeOf(content))
  } catch (error) {
    if (error instanceof LedgerError) return null
    throw error
  }
}
