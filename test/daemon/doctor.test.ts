import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { checkAddon } from '../../daemon/doctor/addons.js'
import { checkChain, judgeChain } from '../../daemon/doctor/chain.js'
import type { Answer } from '../../daemon/doctor/chain.js'
import type { Finding } from '../../daemon/doctor/check.js'
import { checkModel } from '../../daemon/doctor/model.js'
import { checkClock, checkDisk, checkMemory, checkNode, checkThreads } from '../../daemon/doctor/machine.js'
import { judgeNat } from '../../daemon/doctor/network.js'
import { checkDataFolder, checkPort } from '../../daemon/doctor/places.js'
import { openIdentity } from '../../daemon/identity.js'
import { acquireLock } from '../../daemon/lock.js'
import { lamports } from '../../ledger/amount.js'

const GB = 1e9
const SEEDLING = fileURLToPath(new URL('../../../models/seedling/seedling.gguf', import.meta.url))

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'swarmd-doctor-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** What is not ok says what to do, and nothing else does. */
function state(finding: Finding): Finding['state'] {
  assert.equal(finding.advice !== null, finding.state !== 'ok', finding.detail)
  return finding.state
}

test('Node below the floor fails, Node out of support warns', () => {
  const states = ['18.19.0', '20.19.9', '20.20.0', '22.0.0', '26.1.0'].map((version) => state(checkNode(version)))
  assert.deepEqual(states, ['fail', 'fail', 'warn', 'ok', 'ok'])
})

test('little memory is a warning', () => {
  assert.equal(state(checkMemory({ total: 16 * GB, available: 8 * GB })), 'ok')
  assert.equal(state(checkMemory({ total: GB, available: GB / 2 })), 'warn')
})

test(
  'a model is judged by its header against the memory that is there',
  { skip: !existsSync(SEEDLING) && 'no model file' },
  async (t) => {
    const cacheDir = folder(t)
    const judge = (megabytes: number, slots: number | null = null): Promise<Finding> =>
      checkModel({
        path: SEEDLING,
        slots,
        context: null,
        cacheDir,
        onProgress: () => undefined,
        availableMemory: () => megabytes * 1e6,
      })
    const fits = await judge(16_000)
    assert.equal(state(fits), 'ok')
    assert.match(fits.detail, /^seedling.* needs about [\d,]+ MB for \d+ slots of \d+ tokens; 14,400 MB can be used$/)
    assert.equal(state(await judge(10)), 'fail')
    assert.equal(state(await judge(16_000, 65)), 'fail')
  },
)

test('what is no model fails with what to do', async (t) => {
  const path = join(folder(t), 'm.gguf')
  const judge = (): Promise<Finding> =>
    checkModel({ path, slots: null, context: null, cacheDir: folder(t), onProgress: () => undefined })
  assert.match((await judge()).detail, /no such file/)
  writeFileSync(path, 'x'.repeat(100))
  const finding = await judge()
  assert.equal(state(finding), 'fail')
  assert.match(finding.detail, /not a GGUF file/)
})

test('threads should leave a core free', () => {
  const cores = { physical: 4, logical: 8 }
  const states = [null, 1, 3, 4, 5].map((threads) => state(checkThreads(cores, threads)))
  assert.deepEqual(states, ['ok', 'ok', 'ok', 'warn', 'warn'])
  assert.equal(state(checkThreads({ physical: 1, logical: 1 }, null)), 'ok')
})

test('little disk is a warning for models and a failure for the data folder', () => {
  assert.deepEqual(
    [0.05, 0.2].map((free) => state(checkDisk('/d', free * GB, 'data'))),
    ['fail', 'ok'],
  )
  assert.deepEqual(
    [0.05, 4, 6].map((free) => state(checkDisk('/d', free * GB, 'models'))),
    ['warn', 'warn', 'ok'],
  )
})

test('a clock before the program was built is wrong', () => {
  const built = Date.UTC(2026, 10, 22)
  assert.equal(state(checkClock(built - 120_000, built)), 'fail')
  assert.equal(state(checkClock(built, built)), 'ok')
})

test('what the DHT says becomes advice', () => {
  const nat = { reachable: true, nodes: 20, host: '198.51.100.7' }
  const kinds = (['open', 'consistent', 'random', 'unknown'] as const).map((kind) =>
    state(judgeNat({ ...nat, kind }, null)),
  )
  assert.deepEqual(kinds, ['ok', 'ok', 'warn', 'ok'])
  const nobody = { reachable: false, nodes: 0, host: null, kind: 'unknown' } as const
  assert.match(judgeNat(nobody, ['192.0.2.7:49737']).detail, /192\.0\.2\.7:49737/)
  assert.equal(state(judgeNat(nobody, null)), 'fail')
})

test('a native part that does not load, or crashes, is a failure with the reason', async () => {
  const addon = (script: string): Promise<Finding> => checkAddon({ name: 'part', purpose: 'testing', script })
  assert.equal(state(await addon(`console.log('fine')`)), 'ok')
  assert.match((await addon(`import 'no-such-package'`)).detail, /does not load .*no-such-package/)
  const crashed = await addon(`process.kill(process.pid, 'SIGSEGV'); setInterval(() => undefined, 1e6)`)
  assert.equal(state(crashed), 'fail')
  if (process.platform !== 'win32') assert.match(crashed.detail, /SIGSEGV/)
})

test('a port in use fails unless our own daemon listens there', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  assert.equal(state(await checkPort('127.0.0.1', port, null)), 'fail')
  assert.equal(state(await checkPort('127.0.0.1', port, `http://127.0.0.1:${port}`)), 'ok')
  assert.equal(state(await checkPort('127.0.0.1', 0, null)), 'ok')
  assert.equal(state(await checkPort('192.0.2.1', port, null)), 'fail', 'not an address of this machine')
})

test(
  'the data folder is looked at without being changed',
  { skip: process.platform === 'win32' && 'no such permissions' },
  (t) => {
    const dataDir = folder(t)
    assert.match(checkDataFolder(join(dataDir, 'a', 'b')).detail, /will be made/)
    assert.equal(state(checkDataFolder(dataDir)), 'ok')
    const lock = acquireLock(dataDir, { pid: 42, since: 0, version: '0', apiUrl: null })
    assert.match(checkDataFolder(dataDir).detail, /in use by the running swarmd \(pid 42\)/)
    lock.release()
    openIdentity(dataDir)
    chmodSync(dataDir, 0o755)
    assert.equal(state(checkDataFolder(dataDir)), 'warn')
    chmodSync(join(dataDir, 'seed'), 0o644)
    assert.equal(state(checkDataFolder(dataDir)), 'fail')
    const file = join(dataDir, 'file')
    writeFileSync(file, '')
    assert.equal(state(checkDataFolder(file)), 'fail')
  },
)

test('RPC nodes that are silent, on another chain or without the program are found out', () => {
  const good: Answer = { host: 'a:1', genesis: 'G', trouble: '', program: true }
  const silent: Answer = { host: 'b:2', genesis: null, trouble: 'RPC_TIMEOUT', program: false }
  const states = [
    judgeChain([good], null),
    judgeChain([good, silent], 'G'),
    judgeChain([silent], null),
    judgeChain([good, { ...good, host: 'c:3', genesis: 'H' }], null),
    judgeChain([good], 'H'),
    judgeChain([good, { ...good, program: false }], null),
  ].map(state)
  assert.deepEqual(states, ['ok', 'warn', 'fail', 'fail', 'fail', 'fail'])
})

test('the check of the chain shows hosts, never what else is in an address', async (t) => {
  const finding = await checkChain(
    {
      urls: ['http://me:hidden@127.0.0.1:9/hidden?key=hidden'],
      program: '11111111111111111111111111111111',
      deposit: lamports(1n),
      grace: 1n,
      leastGrace: 1n,
    },
    folder(t),
  )
  assert.equal(state(finding), 'fail')
  assert.ok(finding.detail.includes('127.0.0.1:9') && !finding.detail.includes('hidden'), finding.detail)
})
