/** A transaction that may be made anew as often as it takes, because whoever asks looks first at what the chain has. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TransactionInstruction } from '@solana/web3.js'
import type { KeyPair } from '../crypto.js'
import { latestBlockhash, outboxChain, rehearse } from './calls.js'
import { ChainError } from './errors.js'
import type { Rpc } from './rpc.js'
import { compile, sign, unsignedWire } from './sign.js'
import type { Signed } from './sign.js'

const POLL_MS = 400
/** In polls. */
const RESEND_EVERY = 5
const TRIES = 4

/**
 * Until it is confirmed; again with a new blockhash when it was not in time. The first key pays. Not for payments: those go
 * through the outbox. Throws `TX_REJECTED`, `INSUFFICIENT_FUNDS`, `BLOCKHASH_EXPIRED`, or what the connection throws.
 */
export async function confirmed(
  rpc: Rpc,
  keys: readonly [KeyPair, ...KeyPair[]],
  instructions: readonly TransactionInstruction[],
  delay: (ms: number) => Promise<unknown> = (ms) => sleep(ms),
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const unsigned = compile(keys[0].publicKey, instructions, await latestBlockhash(rpc))
    await rehearse(rpc, unsignedWire(unsigned))
    if (await lands(rpc, sign(unsigned, keys), delay)) return
  }
  throw ChainError.BLOCKHASH_EXPIRED()
}

/** false = its time is over and nobody knows of it. */
async function lands(rpc: Rpc, signed: Signed, delay: (ms: number) => Promise<unknown>): Promise<boolean> {
  const chain = outboxChain(rpc)
  for (let polls = 0; ; polls++) {
    // Lost or refused: the status tells.
    if (polls % RESEND_EVERY === 0) await chain.send(signed.wire).catch(() => undefined)
    const [sighting] = await chain.look([signed.signature])
    if (sighting?.status?.rejection) throw ChainError.TX_REJECTED(sighting.status.rejection)
    if (sighting?.status && sighting.status.level !== 'processed') return true
    if (sighting && sighting.finalHeight > signed.lastValidBlockHeight) return false
    await delay(POLL_MS)
  }
}
