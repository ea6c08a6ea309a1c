/** Why something about money was not done. Callers match `code`; messages say what to do. */
import { existsSync } from 'node:fs'
import type { NodeOptions } from '../node-options.js'
import { genesisFile } from './genesis.js'

export type DeskErrorCode =
  | 'NO_CHAIN' // this node has no chain, so it has neither a wallet in use nor channels
  | 'NOTHING_PAID' // neither a chain nor credit, and nothing was ever paid
  | 'DESK_BAD_REQUEST'
  | 'DESK_NOT_READY' // the node has just started
  | 'CHANNEL_NOT_FOUND'
  | 'CHANNEL_AMBIGUOUS'
  | 'ORDER_NOT_FOUND'
  | 'ADDRESS_REFUSED' // coins sent there would be lost
  | 'AMOUNT_REFUSED' // more than there is, or it would leave less than an account may hold
  | 'NOT_WORTH_IT' // the fee would be more than what comes in
  | 'NO_AIRDROP' // this chain gives nothing away, or not now
  | 'ID_TAKEN' // the same id was used for something else
  | 'INTERRUPTED' // by a person, while something may have been under way

export class DeskError extends Error {
  readonly code: DeskErrorCode

  private constructor(code: DeskErrorCode, message: string) {
    super(message)
    this.name = 'DeskError'
    this.code = code
  }

  static NO_CHAIN(message: string): DeskError {
    return new DeskError('NO_CHAIN', message)
  }

  static NOTHING_PAID(): DeskError {
    return new DeskError(
      'NOTHING_PAID',
      'Nothing is paid here: everything that this node asks and answers is free of charge.',
    )
  }

  static BAD_REQUEST(message: string): DeskError {
    return new DeskError('DESK_BAD_REQUEST', message)
  }

  static NOT_READY(): DeskError {
    return new DeskError('DESK_NOT_READY', 'The node has just started and has not read its keys yet. Try again.')
  }

  static CHANNEL_NOT_FOUND(given: string): DeskError {
    return new DeskError('CHANNEL_NOT_FOUND', `There is no channel "${given}" here. "swarmd channels" lists them.`)
  }

  static CHANNEL_AMBIGUOUS(given: string): DeskError {
    return new DeskError('CHANNEL_AMBIGUOUS', `Several channels begin with "${given}": give more of the address.`)
  }

  static ORDER_NOT_FOUND(given: string): DeskError {
    return new DeskError(
      'ORDER_NOT_FOUND',
      `No order of this node, or more than one, begins with "${given}". "swarmd order list" lists them.`,
    )
  }

  static ADDRESS_REFUSED(message: string): DeskError {
    return new DeskError('ADDRESS_REFUSED', message)
  }

  static AMOUNT_REFUSED(message: string): DeskError {
    return new DeskError('AMOUNT_REFUSED', message)
  }

  static NOT_WORTH_IT(message: string): DeskError {
    return new DeskError('NOT_WORTH_IT', message)
  }

  static NO_AIRDROP(message: string): DeskError {
    return new DeskError('NO_AIRDROP', message)
  }

  static INTERRUPTED(): DeskError {
    return new DeskError(
      'INTERRUPTED',
      'Interrupted. What was under way may have been done all the same: "swarmd wallet history" tells.',
    )
  }

  static ID_TAKEN(id: string): DeskError {
    return new DeskError('ID_TAKEN', `The id "${id}" was used for another transaction before: give another one.`)
  }
}

/** Why there is no wallet, in one sentence or two. */
export function withoutChain({ dataDir, credit }: Pick<NodeOptions, 'dataDir' | 'credit'>): string {
  if (credit !== null)
    return 'This node pays and is paid on credit (--credit): there is no chain, and so no wallet. "swarmd channels" shows what is owed.'
  if (existsSync(genesisFile(dataDir)))
    return 'This data folder belongs to a chain, and nobody says where that is: give its address with --chain URL, or set chain.url in the config file.'
  return 'This node uses no chain: it has no wallet and no channels, and everything is free of charge.'
}
