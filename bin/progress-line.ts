/** One line on standard error that says how far long work is; nothing where no person looks. */
import type { DeskItem } from '../daemon/chain/desk-items.js'
import type { HistoryItem } from '../daemon/history/items.js'
import type { CommandCall } from './command.js'

export class ProgressLine {
  readonly #call: CommandCall
  readonly #verb: string
  #shown = false

  constructor(call: CommandCall, verb: string) {
    this.#call = call
    this.#verb = verb
  }

  show(item: HistoryItem | DeskItem): void {
    const { io, json } = this.#call
    if (!('progress' in item) || json || !io.stderr.isTTY) return
    const { done, total } = item.progress
    const doing = 'doing' in item.progress ? item.progress.doing : undefined
    io.err(`\r\u001b[K${doing === undefined ? `${this.#verb} ${done} of ${total}` : `${doing}: ${done}`} …`)
    this.#shown = true
  }

  clear(): void {
    if (this.#shown) this.#call.io.err('\r\u001b[K')
    this.#shown = false
  }
}
