/** `swarmd program deploy` by real processes against `swarmd chain`. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Connection, Keypair, PublicKey, Transaction, TransactionInstruction } from '@solana/web3.js'
import { PROGRAM_ERRORS } from '../../ledger/chain/layout/errors.js'
import { programDataAddress } from '../../ledger/chain/layout/addresses.js'
import { PROGRAM_IMAGE } from '../../ledger/program/artifacts.js'
import { CliHome } from '../helpers/cli.js'

const SOL = 1_000_000_000
const HEADER = 45

class Deployer {
  readonly home: CliHome
  readonly connection: Connection
  readonly url: string

  private constructor(home: CliHome, url: string) {
    this.home = home
    this.url = url
    this.connection = new Connection(url, 'confirmed')
  }

  static async start(t: TestContext): Promise<Deployer> {
    const home = new CliHome(t)
    const chain = home.start(['chain', '--port', '0', '--ephemeral'])
    return new Deployer(home, String((await chain.event('listening'))['url']))
  }

  async key(name: string, lamports: number): Promise<Keypair> {
    const pair = Keypair.generate()
    writeFileSync(this.home.path(name), JSON.stringify([...pair.secretKey]))
    if (lamports > 0) await this.connection.requestAirdrop(pair.publicKey, lamports)
    return pair
  }

  args(key: string, ...more: readonly string[]): string[] {
    return ['program', 'deploy', '--url', this.url, '--keypair', this.home.path(key), ...more]
  }

  async deploy(key: string, ...more: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    const { code, stdout, stderr } = await this.home.run([...this.args(key, ...more), '--json'])
    const last = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Readonly<Record<string, unknown>>
    assert.equal(code, last['event'] === 'done' ? 0 : 1, stderr)
    return last
  }

  async code(program: string): Promise<Buffer> {
    const account = await this.connection.getAccountInfo(programDataAddress(new PublicKey(program)))
    return Buffer.from(account?.data.subarray(HEADER) ?? [])
  }

  /** An instruction that the program does not know: its answer shows that it runs. */
  async runs(program: string, payer: Keypair): Promise<void> {
    const { blockhash, lastValidBlockHeight } = await this.connection.getLatestBlockhash()
    const transaction = new Transaction({ feePayer: payer.publicKey, blockhash, lastValidBlockHeight })
    transaction.add(
      new TransactionInstruction({ programId: new PublicKey(program), keys: [], data: Buffer.from([255]) }),
    )
    transaction.sign(payer)
    const { value } = await this.connection.simulateTransaction(transaction)
    assert.deepEqual(value.err, { InstructionError: [0, { Custom: PROGRAM_ERRORS.BAD_INSTRUCTION }] })
  }
}

test('deployed, then unchanged, then upgraded by a longer code; by nobody else', async (t) => {
  const deployer = await Deployer.start(t)
  const payer = await deployer.key('payer.json', 10 * SOL)
  const first = await deployer.deploy('payer.json')
  assert.equal(first['outcome'], 'deployed')
  const program = String(first['program'])
  const elf = readFileSync(PROGRAM_IMAGE)
  assert.deepEqual(await deployer.code(program), elf)
  const spent = await deployer.connection.getBalance(payer.publicKey)
  assert.deepEqual(await deployer.deploy('payer.json'), { event: 'done', program, outcome: 'unchanged' })
  assert.equal(await deployer.connection.getBalance(payer.publicKey), spent)

  writeFileSync(deployer.home.path('longer.so'), Buffer.concat([elf, Buffer.alloc(12_000, 7)]))
  const longer = ['--image', deployer.home.path('longer.so')]
  assert.deepEqual(await deployer.deploy('payer.json', ...longer), { event: 'done', program, outcome: 'upgraded' })
  assert.equal((await deployer.code(program)).byteLength, elf.byteLength + 12_000)
  await deployer.runs(program, payer)

  const treasury = (await deployer.key('treasury.json', SOL)).publicKey.toBase58()
  const configure = [...deployer.args('payer.json', '--program', program, '--treasury', treasury), '--json']
  configure[1] = 'configure'
  assert.deepEqual(JSON.parse((await deployer.home.run(configure)).stdout), {
    event: 'done',
    program,
    outcome: 'configured',
  })
  assert.deepEqual(JSON.parse((await deployer.home.run(configure)).stdout), {
    event: 'done',
    program,
    outcome: 'unchanged',
  })

  await deployer.key('other.json', 10 * SOL)
  const refused = (await deployer.deploy('other.json', '--program', program)) as { error?: { code: string } }
  assert.equal(refused.error?.code, 'PROGRAM_MISMATCH')
})

test('killed in the middle, the same command finishes it; the pieces that were there are not paid again', async (t) => {
  const deployer = await Deployer.start(t)
  const payer = await deployer.key('payer.json', 10 * SOL)
  const running = deployer.home.start(deployer.args('payer.json'))
  await running.event('progress')
  for (;;) {
    const signatures = await deployer.connection.getSignaturesForAddress(payer.publicKey)
    if (signatures.length >= 6) break
  }
  running.child.kill('SIGKILL')
  await running.outcome
  const { program, outcome } = await deployer.deploy('payer.json')
  assert.ok(outcome === 'deployed' || outcome === 'unchanged')
  assert.deepEqual(await deployer.code(String(program)), readFileSync(PROGRAM_IMAGE))
  await deployer.runs(String(program), payer)
  const signatures = await deployer.connection.getSignaturesForAddress(payer.publicKey)
  const writes = Math.ceil(readFileSync(PROGRAM_IMAGE).byteLength / 1_000)
  assert.ok(signatures.length <= writes + 3 + 16, `${signatures.length} transactions`)
})

test('what is wrong is said before anything is paid', async (t) => {
  const deployer = await Deployer.start(t)
  await deployer.key('poor.json', 1_000_000)
  const poor = (await deployer.deploy('poor.json')) as { error?: { code: string } }
  assert.equal(poor.error?.code, 'INSUFFICIENT_FUNDS')
  writeFileSync(deployer.home.path('odd.json'), '[1,2,3]')
  const odd = (await deployer.deploy('odd.json')) as { error?: { code: string } }
  assert.equal(odd.error?.code, 'BAD_KEYPAIR')
  const chain = (await deployer.deploy('poor.json', '--genesis', '1'.repeat(32))) as { error?: { code: string } }
  assert.equal(chain.error?.code, 'WRONG_CHAIN')
  const none = (await deployer.deploy('poor.json', '--program', Keypair.generate().publicKey.toBase58())) as {
    error?: { code: string }
  }
  assert.equal(none.error?.code, 'PROGRAM_MISMATCH')
})
