/** A process of the bench `query`: appends to the log of `SWARMD_BENCH_FOLDER`, and is gone in the middle of it. */
import { LedgerStore } from '../ledger/store/store.js'
import { lengthen, longLogFolder } from './long-log.js'

const APPENDED = 2000

const { ledger, identity } = await longLogFolder()
const store = await LedgerStore.open(ledger, identity.store())
await lengthen(store, identity, store.length + APPENDED, Infinity, () => undefined)
process.kill(process.pid, 'SIGKILL')
