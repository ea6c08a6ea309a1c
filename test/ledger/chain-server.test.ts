/** What the embedded chain answers to requests that no library sends. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { startEmbeddedChain } from '../../ledger/chain/embedded/start.js'
import { INSTRUCTION_ERRORS, TRANSACTION_ERRORS } from '../../ledger/chain/embedded/vm-errors.js'
import { toBase58 } from '../../ledger/chain/base58.js'
import { EmbeddedChain } from '../../ledger/chain/embedded/chain.js'
import { airdropBytes } from '../../ledger/chain/embedded/airdrop.js'
import { filled } from './sample.js'

interface Reply {
  readonly status: number
  readonly body: string
}

async function urlOf(t: TestContext): Promise<string> {
  const running = await startEmbeddedChain({ folder: null, port: 0 })
  t.after(() => running.close())
  return running.url
}

function post(url: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers } })
    sent.on('error', reject)
    sent.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      response.on('error', reject)
    })
    sent.end(body)
  })
}

async function call(url: string, method: string, params: readonly unknown[] = []): Promise<unknown> {
  const { body } = await post(url, JSON.stringify({ jsonrpc: '2.0', id: 7, method, params }))
  return JSON.parse(body) as unknown
}

test('what is no JSON-RPC gets its error code', async (t) => {
  const url = await urlOf(t)
  const code = async (body: string): Promise<unknown> =>
    (JSON.parse((await post(url, body)).body) as { error?: { code?: number } }).error?.code
  assert.equal(await code('{'), -32700)
  assert.equal(await code('1'), -32600)
  assert.equal(await code('{"id":1}'), -32600)
  assert.equal(await code('[]'), -32600)
  assert.equal(await code('{"id":1,"method":"toString"}'), -32601)
  assert.equal(await code('{"id":1,"method":"getBalance","params":{}}'), -32602)
  assert.equal(await code('{"id":1,"method":"getBalance","params":[]}'), -32602)
  assert.equal(await code('{"id":1,"method":"getBalance","params":["1111"]}'), -32602)
  assert.equal(await code('{"id":1,"method":"getSlot","params":[{"minContextSlot":99999999}]}'), -32016)
  assert.equal(await code(`{"id":1,"method":"sendTransaction","params":["AAAA",{"encoding":"base64"}]}`), -32602)
})

test('a batch is answered in its order, without its notifications', async (t) => {
  const url = await urlOf(t)
  const batch = [
    { jsonrpc: '2.0', id: 'a', method: 'getHealth' },
    { jsonrpc: '2.0', method: 'getHealth' },
    { jsonrpc: '2.0', id: 2, method: 'nothing' },
  ]
  const { body } = await post(url, JSON.stringify(batch))
  assert.deepEqual(JSON.parse(body), [
    { jsonrpc: '2.0', result: 'ok', id: 'a' },
    { jsonrpc: '2.0', error: { code: -32601, message: 'Method not found' }, id: 2 },
  ])
  const tooMany = JSON.stringify(Array.from({ length: 101 }, (_, id) => ({ id, method: 'getHealth' })))
  assert.match((await post(url, tooMany)).body, /-32600/)
})

test('other hosts, other types and large bodies are turned away; health is a GET', async (t) => {
  const url = await urlOf(t)
  assert.equal((await post(url, '{}', { host: 'evil.example:8899' })).status, 403)
  assert.equal((await post(url, '{}', { 'content-type': 'text/plain' })).status, 415)
  assert.equal((await post(url, `[${' '.repeat(300_000)}]`)).status, 413)
  const health = await fetch(`${url}/health`)
  assert.equal(await health.text(), 'ok\n')
})

test('it listens on loopback or not at all', async () => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org', '127.0.0.1.example.org'])
    await assert.rejects(startEmbeddedChain({ folder: null, port: 0, host }), { code: 'NOT_LOOPBACK' })
})

test('a port that is taken is a refusal, and leaves nothing open', async (t) => {
  const url = await urlOf(t)
  await assert.rejects(startEmbeddedChain({ folder: null, port: Number(new URL(url).port) }), { code: 'EADDRINUSE' })
})

test('methods without arguments answer, and none of them with an error', async (t) => {
  const url = await urlOf(t)
  const names = [
    'getVersion',
    'getGenesisHash',
    'getIdentity',
    'getSlot',
    'getBlockHeight',
    'getEpochInfo',
    'getEpochSchedule',
  ]
  const more = [
    'getTransactionCount',
    'getRecentPrioritizationFees',
    'getClusterNodes',
    'getVoteAccounts',
    'getSlotLeader',
  ]
  for (const name of [...names, ...more]) {
    const answer = (await call(url, name)) as Readonly<Record<string, unknown>>
    assert.ok(answer['result'] !== undefined, `${name}: ${JSON.stringify(answer)}`)
  }
})

test('account data in every encoding; zstd frames decompress where Node can', async (t) => {
  const url = await urlOf(t)
  const clock = 'SysvarC1ock11111111111111111111111111111111'
  const data = async (encoding: string): Promise<readonly [string, string]> => {
    const answer = (await call(url, 'getAccountInfo', [clock, { encoding }])) as {
      result: { value: { data: readonly [string, string] } }
    }
    return answer.result.value.data
  }
  assert.equal(Buffer.from((await data('base64'))[0], 'base64').byteLength, 40)
  assert.equal((await data('base58'))[1], 'base58')
  const frame = Buffer.from((await data('base64+zstd'))[0], 'base64')
  assert.equal(frame.readUInt32LE(0), 0xfd2fb528)
  assert.equal(frame.byteLength, 9 + 3 + 40)
  const { zstdDecompressSync } = (await import('node:zlib')) as { zstdDecompressSync?: (frame: Buffer) => Buffer }
  if (zstdDecompressSync) assert.equal(zstdDecompressSync(frame).byteLength, 40)
})

test('error names are those of the library, in its order', () => {
  const types = readFileSync(new URL('../../../node_modules/litesvm/dist/internal.d.ts', import.meta.url), 'utf8')
  const names = (list: string): string[] => {
    const body = types.split(`const enum ${list} {`)[1]?.split('}')[0] ?? ''
    return [...body.matchAll(/(\w+) = (\d+)/g)].map(([, name = '', number]) => `${number} ${name}`)
  }
  const ours = (list: readonly string[]): string[] => list.map((name, index) => `${index} ${name}`)
  assert.deepEqual(ours(TRANSACTION_ERRORS), names('TransactionErrorFieldless'))
  assert.deepEqual(ours(INSTRUCTION_ERRORS), names('InstructionErrorFieldless'))
})

/** LiteSVM aborts the process on bytes that it cannot decode: this test would not fail, it would end. */
test('no bytes that somebody sends end the process', async (t) => {
  const chain = await EmbeddedChain.open({ folder: null })
  t.after(() => chain.close())
  const good = airdropBytes(chain.identity.faucet, filled(32, 9), 1n, chain.clock.blockhash(chain.clock.slot()), 0)
  const attempt = (bytes: Uint8Array): void => {
    for (const preflight of [true, false]) {
      try {
        chain.send(bytes, preflight)
      } catch (error) {
        assert.ok(error instanceof Error && 'code' in error && typeof error.code === 'number', String(error))
      }
    }
  }
  const places = fc.array(fc.tuple(fc.nat(good.byteLength - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 4 })
  // The signature is of no interest: what is behind it decides how the rest is read.
  const structure = fc.array(fc.tuple(fc.integer({ min: 65, max: 75 }), fc.integer({ min: 0, max: 255 })), {
    maxLength: 3,
  })
  const mutated = fc.tuple(fc.oneof(places, structure), fc.integer({ min: -3, max: 3 })).map(([changes, length]) => {
    const bytes = Buffer.concat([good, Buffer.alloc(3)]).subarray(0, good.byteLength + length)
    for (const [at, value] of changes) if (at < bytes.byteLength) bytes[at] = value
    return bytes
  })
  fc.assert(fc.property(mutated, attempt), { numRuns: 3_000 })
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1300 }), attempt), { numRuns: 500 })
  assert.equal(chain.account(chain.identity.faucet.publicKey)?.executable, false)
  assert.equal(toBase58(filled(1, 0)), '1')
})
