/** The commands about money as a person types them: real processes, a private swarm, the embedded chain. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { addressOf } from '../../daemon/chain/link.js'
import { randomBytes, signKeyPair } from '../../daemon/crypto.js'
import { startSwarmdChain } from '../../ledger/chain/embedded/swarmd-chain.js'
import { startLoopbackDht } from '../../swarm/bootstrap.js'
import { CliHome } from '../helpers/cli.js'
import type { Outcome, RunningCli } from '../helpers/cli.js'

const MODEL = 'mock-words:f32'
const SOL = 1_000_000_000n

interface Net {
  readonly home: CliHome
  /** Flags of a node in the private swarm. */
  readonly flags: readonly string[]
  json<T>(...args: readonly string[]): Promise<T>
  text(...args: readonly string[]): Promise<string>
}

async function netOf(t: TestContext): Promise<Net> {
  const home = new CliHome(t)
  const dht = await startLoopbackDht()
  t.after(() => dht.close())
  const bootstrap = dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`])
  const run = async (args: readonly string[]): Promise<Outcome> => {
    const outcome = await home.run(args)
    assert.deepEqual([outcome.code, outcome.stderr], [0, ''], args.join(' '))
    return outcome
  }
  return {
    home,
    flags: [...bootstrap, '--network', 'friends', '--swarm-host', '127.0.0.1'],
    json: async (...args) => JSON.parse((await run([...args, '--json'])).stdout) as never,
    text: async (...args) => (await run(args)).stdout,
  }
}

async function ask(apiUrl: unknown): Promise<number> {
  const body = JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'hello' }], max_tokens: 200 })
  const headers = { 'content-type': 'application/json' }
  return (await fetch(`${String(apiUrl)}/v1/chat/completions`, { method: 'POST', headers, body })).status
}

/** Until the model can be asked: nothing tells a process from outside when it has found a provider. */
async function found(net: Net, data: string): Promise<void> {
  for (;;) {
    const models = await net.json<readonly { providers: number }[]>('models', '--data', data)
    if (models[0]?.providers === 1) return
  }
}

async function stopped(node: RunningCli): Promise<void> {
  node.child.kill('SIGTERM')
  assert.equal((await node.outcome).code, 0)
}

interface Wallet {
  readonly address: string
  readonly balance: string
  readonly deposits: string
  readonly rent: string
  readonly owed: string
}

test('a wallet is filled, pays, settles, is watched over and emptied, and every command says the same with and without a node', async (t) => {
  const net = await netOf(t)
  const { home, json, text } = net
  const chain = await startSwarmdChain({ folder: null, port: 0 })
  t.after(() => chain.close())
  const paying = ['--chain', chain.url]
  const seller = ['--data', home.path('seller'), ...paying]
  const buyer = ['--data', home.path('buyer'), ...paying]

  const before = await home.run(['wallet', ...buyer])
  assert.deepEqual([before.code, before.stdout], [1, ''])
  assert.match(before.stderr, /no identity yet/)
  assert.match(await text('wallet', 'deposit', ...seller), /^Send SOL to {2}\w+\nIt holds {5}0 SOL\n/)
  for (const side of [seller, buyer])
    assert.match(await text('wallet', 'deposit', '--airdrop', '1SOL', ...side), /Got 1 SOL \(1 000 000 000 lamports\)/)

  const prices = ['--price-in', '100000000', '--price-out', '1000000500']
  const provider = home.start(['serve', 'mock', '--no-api', ...prices, ...seller, ...net.flags])
  const consumer = home.start(['up', '--port', '0', ...buyer, ...net.flags])
  await provider.event('ready')
  const { apiUrl } = await consumer.event('listening')
  await found(net, home.path('buyer'))
  // A provider can be paid once it has registered.
  while ((await json<Wallet>('wallet', ...seller)).rent === '0');
  assert.equal(await ask(apiUrl), 200)

  const channel = await json<Readonly<Record<string, string>>>('channels', ...buyer)
  assert.deepEqual([channel['direction'], channel['deposit'], channel['state']], ['out', '10000000', 'open'])
  const paid = BigInt(channel['paid'] ?? 0)
  assert.ok(paid > 200_000n)
  const table = await text('channels', 'list', ...seller)
  assert.match(table, new RegExp(`^CHANNEL .*UNCLAIMED.*\\n${channel['channel']?.slice(0, 12)} +from `))
  const owed = (await json<Wallet>('wallet', ...seller)).owed
  assert.equal(owed, channel['paid'])
  assert.match(
    await text('wallet', ...buyer),
    /^Wallet {2}\w+\nChain {3}127\.0\.0\.1:\d+, genesis \w+\n\n +SOL +LAMPORTS\nBalance +0\.9/,
  )

  interface Earnings {
    readonly periods: readonly {
      readonly earned: { requests: number; cost: string }
      readonly spent: { cost: string }
    }[]
    readonly chain: { readonly unsettled: string }
  }
  const earned = await json<Earnings>('earnings', ...seller)
  const spent = await json<Earnings>('earnings', ...buyer)
  assert.equal(earned.periods[0]?.earned.cost, spent.periods[0]?.spent.cost)
  assert.equal(earned.periods[0]?.earned.requests, 1)
  assert.equal(earned.chain.unsettled, owed)
  assert.match(await text('earnings', '--by', 'model', ...seller), /^mock-words:f32 +\d+(\.\d+)? lamports/m)

  const lines = home.path('vouchers.jsonl')
  assert.equal((await home.run(['channels', 'export', '--out', lines, ...seller])).code, 0)
  const secret = readFileSync(home.path('seller', 'seed'), 'utf8').trim()
  assert.ok(!readFileSync(lines, 'utf8').includes(secret))
  assert.match(
    await text('settle', ...seller),
    /^Settled +.*on 1 channel\n {2}fee .*\n {2}came in .*\nCost +0\.00001 SOL/,
  )
  assert.equal(await text('settle', ...seller), 'Nothing to settle: everything promised has been collected.\n')

  const range = await text('price', MODEL, '--data', home.path('buyer'))
  assert.match(range, /1 offer\.[\s\S]*median +0\.1 SOL +0\.1 SOL +1\.0000005 SOL/)
  const open = await text('channels', ...buyer)
  const throughNode = await text('wallet', 'history', '--json', ...buyer)
  const closing = await json<{ did: string; closesAt: number }>('channels', 'close', channel['channel'] ?? '', ...buyer)
  assert.equal(closing.did, 'asked')
  assert.ok(closing.closesAt > Date.now() + 86_000_000)
  assert.notEqual(await text('channels', ...buyer), open)

  await stopped(consumer)
  const history = await text('wallet', 'history', ...buyer)
  assert.ok((await text('wallet', 'history', '--json', ...buyer)).endsWith(throughNode), 'the same without the node')
  assert.match(history, /close requested[\s\S]*channel opened[\s\S]*received/)

  const tower = ['--data', home.path('tower'), ...paying]
  await text('wallet', 'deposit', '--airdrop', '1SOL', ...tower)
  const watch = await home.run(['watch', lines, '--once', '--json', ...tower])
  assert.equal(watch.code, 0, watch.stderr)
  const events = watch.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string })
  assert.deepEqual(
    events.map(({ event }) => event),
    ['watching', 'wallet', 'over', 'stopped'],
    'the provider has settled already',
  )

  const to = (await json<Wallet>('wallet', ...tower)).address
  const left = BigInt((await json<Wallet>('wallet', ...buyer)).balance)
  const sent = await json<Readonly<Record<string, string>>>(
    'wallet',
    'withdraw',
    'all',
    to,
    '--yes',
    '--id',
    'x',
    ...buyer,
  )
  assert.equal(BigInt(sent['amount'] ?? 0), left - 5_000n)
  assert.match(await text('wallet', 'withdraw', 'all', to, '--yes', '--id', 'x', ...buyer), /nothing was sent again/)
  assert.equal((await json<Wallet>('wallet', ...tower)).balance, String(SOL + left - 5_000n))
  assert.equal((await json<Wallet>('wallet', ...buyer)).balance, '0')
  await stopped(provider)
})

test('where nothing is paid no command says a word of money, and those about money say one sentence', async (t) => {
  const net = await netOf(t)
  const { home, text } = net
  const [seller, buyer] = [home.path('seller'), home.path('buyer')]
  const provider = home.start(['serve', 'mock', '--no-api', '--data', seller, ...net.flags])
  await provider.event('ready')
  const up = home.run(['up', '--port', '0', '--data', buyer, ...net.flags])
  for (let code: number | null = 3; code !== 0;) ({ code } = await home.run(['status', '--data', buyer]))
  await found(net, buyer)
  const told: string[] = [
    await text('chat', '--model', MODEL, 'hello', '--data', buyer),
    await text('status', '--data', buyer),
    await text('status', '--data', seller),
    await text('models', '--data', buyer),
    await text('peers', '--data', buyer),
    await text('route', 'explain', '--data', buyer),
    await text('history', '--data', buyer),
    await text('history', 'show', (await net.json<{ id: string }>('history', '--data', buyer)).id, '--data', buyer),
    await text('price', '--data', seller),
    await text('price', MODEL, '--data', buyer),
  ]
  const sentences = ['wallet', 'earnings', 'channels', 'settle'].map((command) => [command, '--data', buyer])
  for (const args of [
    ...sentences,
    ['wallet', 'history', '--data', buyer],
    ['channels', 'close', '--all', '--data', buyer],
  ]) {
    const { code, stdout, stderr } = await home.run(args)
    assert.deepEqual([code, stdout], [1, ''], args.join(' '))
    assert.match(stderr, /^swarmd: (This node uses no chain|Nothing is paid here)[^\n]*free of charge\.\n$/)
  }
  told.push(await text('stop', '--data', buyer))
  const { stdout, stderr, code } = await up
  assert.equal(code, 0)
  await stopped(provider)
  const { stdout: serving } = await provider.outcome
  for (const output of [...told, stdout, stderr, serving])
    assert.doesNotMatch(output, /\bSOL\b|lamport|wallet|channel(?!s of)|deposit|voucher|solana/i)
  for (const args of sentences) {
    const offline = await home.run(args)
    assert.deepEqual([offline.code, offline.stdout], [1, ''])
    assert.match(offline.stderr, /free of charge/, 'and so without a node')
  }
})

test('what is asked for wrongly is refused with what is allowed, before anything is opened', async (t) => {
  const home = new CliHome(t)
  const address = addressOf(signKeyPair(randomBytes(32)).publicKey)
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['wallet', 'nope'], /must be show, deposit, withdraw or history/],
    [['wallet', 'withdraw', '0.5', address, '--yes'], /"0\.5" is not allowed.*0\.5SOL/],
    [['wallet', 'withdraw', '0SOL', address, '--yes'], /amount above 0/],
    [['wallet', 'withdraw', '1SOL', address], /--yes/],
    [['wallet', 'withdraw', '1SOL'], /missing required argument/],
    [['wallet', 'deposit', '--airdrop', 'much'], /--airdrop "much"/],
    [['wallet', 'history', '--limit', '0'], /--limit 0/],
    [['channels', 'close'], /either a channel or --all/],
    [['channels', 'close', 'abc', '--all'], /either a channel or --all/],
    [['channels', 'top-up', 'abc', 'x'], /"x" is not allowed/],
    [['channels', 'dance'], /must be list, close, top-up or export/],
    [['settle', 'abc', '--all'], /not both/],
    [['earnings', '--by', 'moon'], /model, day/],
    [['earnings', '--since', 'yesterday'], /--since yesterday/],
    [['price', 'set', 'm'], /--input, --cached or --output/],
    [['price', 'set', 'm', '--input', '-1'], /--input|argument missing/],
    [
      ['price', 'set', 'm', '--input', '1'],
      /has no model "m"[\s\S]*\[\[models\]\]\n {2}source = "m"\n {2}price_in = 1/,
    ],
    [['watch', 'nowhere.jsonl', '--every', 'soon', '--chain', 'http://127.0.0.1:9'], /--every soon/],
    [['wallet', '--chain', 'http://127.0.0.1:9', '--credit', '1'], /exclude each other/],
  ]
  for (const [args, words] of cases) {
    const { code, stderr, stdout } = await home.run(args)
    assert.match(stderr, words, args.join(' '))
    assert.deepEqual([code, stdout], [2, ''], args.join(' '))
  }
  const watch = await home.run(['watch', '-'])
  assert.deepEqual([watch.code, watch.stdout], [1, ''])
  assert.match(watch.stderr, /--chain URL/)
})

test('every command about money explains itself with examples that fit 80 columns', async (t) => {
  const home = new CliHome(t)
  for (const command of ['wallet', 'earnings', 'channels', 'settle', 'price', 'watch']) {
    const { code, stdout } = await home.run([command, '--help'])
    assert.equal(code, 0)
    assert.match(stdout, /^Examples:$/m, command)
    const prose = stdout.slice(stdout.indexOf('\n\n', stdout.indexOf('--data <dir>'))).split('\n')
    for (const line of prose) if (/^\S/.test(line) || line.startsWith('  swarmd')) assert.ok(line.length <= 80, line)
  }
})

test('prices are shown as the config file has them, and set there without disturbing it', async (t) => {
  const home = new CliHome(t)
  const file = home.path('config.toml')
  const env = { SWARMD_CONFIG: file }
  const text = '[[models]]\nsource = "/models/qwen3-8b.gguf" # the good one\nprice_in = 20000\nprice_out = 60000\n'
  writeFileSync(file, text)
  const shown = await home.run(['price'], { env })
  assert.match(shown.stdout, /qwen3-8b\.gguf +0\.00002 SOL +0\.00002 SOL +0\.00006 SOL +38 lamports/)
  const set = await home.run(['price', 'set', 'qwen3-8b', '--output', '0.00008SOL'], { env })
  assert.deepEqual([set.code, set.stderr], [0, ''])
  assert.match(set.stdout, /price_out = 80000\n$/)
  assert.equal(readFileSync(file, 'utf8'), text.replace('60000', '80000'))
  assert.equal((await home.run(['price', 'set', 'default', '--input', '5', '--json'], { env })).code, 0)
  assert.match(readFileSync(file, 'utf8'), /\n\[prices\]\ninput = 5\n$/)
  assert.equal((await home.run(['price', 'qwen3-8b'], { env })).code, 3, 'offers are what a running node knows')
})
