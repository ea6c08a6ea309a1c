/**
 * The network `embedded`: a chain of one's own with swarmd's program on it, configured and ready. The program's address is
 * a name that nobody has a key for; here it needs none, because it is there from genesis.
 */
import { hash, signingKeyPair } from '../../crypto.js'
import { readProgram } from '../../program/artifacts.js'
import { fromBase58 } from '../base58.js'
import { startEmbeddedChain } from './start.js'
import type { EmbeddedChainOptions, RunningChain } from './start.js'

export const EMBEDDED_PROGRAM = 'SwarmdSett1ement111111111111111111111111111'

/** Rent-exempt, so that the treasury takes the smallest fee. */
const TREASURY_LAMPORTS = 10_000_000n
/** The first byte of the program's config account. */
const CONFIG_KIND = 1

/** Like `startEmbeddedChain`, with the program. The faucet's key may change the config and upgrade the program. */
export async function startSwarmdChain(options: Omit<EmbeddedChainOptions, 'programs'>): Promise<RunningChain> {
  const id = fromBase58(EMBEDDED_PROGRAM, 32) ?? new Uint8Array(32)
  const running = await startEmbeddedChain({ ...options, programs: [{ id, elf: await readProgram() }] })
  try {
    // Looked for at every start: a crash may have come between genesis and this.
    if (!running.chain.accountsOf(id).some(({ account }) => account.data[0] === CONFIG_KIND)) await configure(running)
    return running
  } catch (error) {
    await running.close()
    throw error
  }
}

async function configure({ chain, faucet }: RunningChain): Promise<void> {
  const [{ Keypair, PublicKey, Transaction }, { initConfig }, { STANDARD_FEES }] = await Promise.all([
    import('@solana/web3.js'),
    import('../layout/config-instructions.js'),
    import('../configure.js'),
  ])
  const treasury = signingKeyPair(hash('swarmd/1/chain/treasury', faucet.secretKey.subarray(0, 32))).publicKey
  chain.airdrop(treasury, TREASURY_LAMPORTS)
  const authority = Keypair.fromSecretKey(faucet.secretKey)
  const change = { admin: authority.publicKey, slasher: authority.publicKey, ...STANDARD_FEES }
  const shares = { treasury: new PublicKey(treasury), pool: new PublicKey(treasury) }
  const blockhash = new PublicKey(chain.clock.blockhash(chain.clock.slot())).toBase58()
  const transaction = new Transaction({ feePayer: authority.publicKey, blockhash, lastValidBlockHeight: 0 })
  transaction.add(initConfig(new PublicKey(EMBEDDED_PROGRAM), { authority: authority.publicKey, ...change, ...shares }))
  transaction.sign(authority)
  chain.send(transaction.serialize(), true)
  await chain.durable()
}
