/** `swarmd chain` as a process: its screen, its end, and `kill -9` while transactions come in. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Connection, Keypair, PublicKey } from '@solana/web3.js'
import { CONFIG } from '../../ledger/chain/layout/accounts.js'
import { configAddress } from '../../ledger/chain/layout/addresses.js'
import { CliHome } from '../helpers/cli.js'

const KILLS = 20

test('swarmd chain: it listens, the program is on it and configured, Ctrl-C ends it, the folder is locked', async (t) => {
  const home = new CliHome(t)
  const chain = home.start(['chain', '--port', '0'])
  const { url, program, genesisHash } = await chain.event('listening')
  const connection = new Connection(String(url), 'confirmed')
  assert.equal(await connection.getGenesisHash(), genesisHash)
  const id = new PublicKey(String(program))
  const config = await connection.getAccountInfo(configAddress(id))
  assert.ok(config)
  assert.equal(CONFIG.decode(config.data).feeBps, 1_000)
  const second = await home.run(['chain', '--port', '0'])
  assert.equal(second.code, 4)
  assert.match(second.stderr, /uses the data folder/)
  chain.child.kill('SIGINT')
  assert.equal((await chain.outcome).code, 0)
  await chain.event('stopped')
  const again = home.start(['chain', '--port', '0'])
  assert.equal((await again.event('listening'))['genesisHash'], genesisHash)
  again.child.kill('SIGTERM')
  assert.equal((await again.outcome).code, 0)
})

test('swarmd chain: what it does not understand is said before anything starts', async (t) => {
  const home = new CliHome(t)
  assert.equal((await home.run(['chain', '--port', 'x'])).code, 2)
  assert.equal((await home.run(['chain', '--folder', 'a', '--ephemeral'])).code, 2)
})

test(`after ${KILLS} kills in the middle of transactions everything acknowledged is there, and not a lamport more or less`, async (t) => {
  const home = new CliHome(t)
  const acknowledged = new Map<string, { readonly to: PublicKey; readonly lamports: number }>()
  let lamports = 1_000_000
  let genesis: unknown = null
  for (let kill = 0; kill <= KILLS; kill++) {
    const chain = home.start(['chain', '--port', '0'])
    const { url, genesisHash, faucet } = await chain.event('listening')
    genesis ??= genesisHash
    assert.equal(genesisHash, genesis)
    const connection = new Connection(String(url), 'confirmed')
    await audit(connection, acknowledged, new PublicKey(String(faucet)))
    if (kill === KILLS) {
      chain.child.kill('SIGINT')
      assert.equal((await chain.outcome).code, 0)
      break
    }
    // Killed after a number of answers that differs from one life to the next, with others still on their way.
    const answers = 1 + ((kill * 7) % 23)
    let seen = 0
    const one = async (): Promise<void> => {
      for (;;) {
        const transfer = { to: Keypair.generate().publicKey, lamports: lamports++ }
        const signature = await connection.requestAirdrop(transfer.to, transfer.lamports)
        acknowledged.set(signature, transfer)
        if (++seen >= answers) chain.child.kill('SIGKILL')
      }
    }
    await Promise.allSettled([one(), one(), one(), one()])
    await chain.outcome
  }
  assert.ok(acknowledged.size > KILLS)
})

/** Every acknowledged transfer is in the history and in its balance; together with the faucet and the fees nothing is missing. */
async function audit(
  connection: Connection,
  acknowledged: ReadonlyMap<string, { readonly to: PublicKey; readonly lamports: number }>,
  faucet: PublicKey,
): Promise<void> {
  for (const [signature, { to, lamports }] of acknowledged) {
    assert.equal(await connection.getBalance(to), lamports)
    const { value } = await connection.getSignatureStatuses([signature])
    assert.equal(value[0]?.err, null)
  }
  const landed = await connection.getSignaturesForAddress(faucet)
  let spent = 0
  for (const { signature } of landed) {
    const record = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 })
    spent += (record?.meta?.preBalances[0] ?? 0) - (record?.meta?.postBalances[0] ?? 0)
  }
  assert.equal(await connection.getBalance(faucet), 5_000_000_000_000_000 - spent)
}
