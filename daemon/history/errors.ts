/** Why a question to the history has no answer. Callers match `code`; messages say what to do. */
export type HistoryErrorCode =
  | 'HISTORY_BAD_REQUEST' // a filter or an argument that cannot be understood
  | 'HISTORY_NOT_FOUND' // nothing begins with these digits
  | 'HISTORY_AMBIGUOUS' // several things do
  | 'HISTORY_NO_CONTENT' // forgotten, pruned or never kept
  | 'HISTORY_NO_EVIDENCE' // of an answer: not computed here, too old, or forgotten
  | 'HISTORY_NOT_READY' // the node has just started
  | 'HISTORY_NO_COPY' // nobody that can be reached holds the log

export class HistoryError extends Error {
  readonly code: HistoryErrorCode

  private constructor(code: HistoryErrorCode, message: string) {
    super(message)
    this.name = 'HistoryError'
    this.code = code
  }

  static BAD_REQUEST(message: string): HistoryError {
    return new HistoryError('HISTORY_BAD_REQUEST', message)
  }

  static NOT_FOUND(what: string, given: string): HistoryError {
    return new HistoryError('HISTORY_NOT_FOUND', `The history has no ${what} "${given}". See "swarmd history list".`)
  }

  static AMBIGUOUS(what: string, given: string): HistoryError {
    return new HistoryError('HISTORY_AMBIGUOUS', `Several ${what}s begin with "${given}": give more of it.`)
  }

  static NO_CONTENT(state: string): HistoryError {
    return new HistoryError('HISTORY_NO_CONTENT', `The content of this transaction is not here any more: ${state}.`)
  }

  static NO_EVIDENCE(): HistoryError {
    return new HistoryError(
      'HISTORY_NO_EVIDENCE',
      'This node does not hold what is under the token root of this answer: the node that computed it does, for the time of its ledger.evidence_hours.',
    )
  }

  static NOT_READY(): HistoryError {
    return new HistoryError(
      'HISTORY_NOT_READY',
      'The node has just started and has no ledger open yet. Try again in a moment.',
    )
  }

  static NO_COPY(message: string): HistoryError {
    return new HistoryError('HISTORY_NO_COPY', message)
  }
}
