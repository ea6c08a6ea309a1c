/** The money of the demonstration: a chain in this process, a wallet for each side, and what they have at the end. */
import { mkdir } from 'node:fs/promises'
import { openIdentity } from '../../daemon/identity.js'
import type { OwnChain } from '../../daemon/embedded-chain.js'
import { grouped } from '../money.js'

const COINS = 1_000_000_000n

export interface Party {
  /** 32 bytes. */
  readonly wallet: Uint8Array
}

/** Makes the identity of a node's data folder and gives its wallet one SOL. */
export async function funded(chain: OwnChain, dataDir: string): Promise<Party> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const wallet = openIdentity(dataDir).wallet().publicKey
  await chain.fund(wallet, COINS)
  return { wallet }
}

/** Both sides after the provider has settled, and where the difference to their two SOL is. */
export function balances(chain: OwnChain, consumer: Party, provider: Party): string {
  const { deposit, settled, fees, rent, channels } = chain.books()
  const [buyer, seller] = [chain.balance(consumer.wallet), chain.balance(provider.wallet)]
  const rest = deposit - settled
  const network = 2n * COINS - buyer - seller - rest - rent - fees
  if (channels === 0) return 'Nothing was paid.\n'
  const line = (what: string, amount: bigint, more = ''): string =>
    `  ${what.padEnd(26)}${grouped(amount).padStart(15)}${more}\n`
  return [
    'Settled on the chain, in lamports:\n',
    line('Paid by the consumer', settled),
    line('  received by the provider', settled - fees),
    line("  fee of swarmd's program", fees),
    line('Consumer: wallet', buyer),
    line('  left in its channel', rest, `  of a deposit of ${grouped(deposit)}`),
    line('Provider: wallet', seller),
    line('Kept as rent, returned later', rent),
    line("The chain's own fees", network),
    line('Together', buyer + seller + rest + rent + fees + network, '  as at the start'),
  ].join('')
}
