import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { checkAddon } from '../../daemon/doctor/addons.js'
import type { Finding } from '../../daemon/doctor/check.js'
import { checkClock, checkDisk, checkMemory, checkNode, checkThreads } from '../../daemon/doctor/machine.js'
import { judgeNat } from '../../daemon/doctor/network.js'
import { checkDataFolder, checkPort } from '../../daemon/doctor/places.js'
import { openIdentity } from '../../daemon/identity.js'
import { acquireLock } from '../../daemon/lock.js'

const GB = 1e9

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

test('memory is judged against the model, when there is one', () => {
  const memory = { total: 16 * GB, available: 8 * GB }
  const need = (gigabytes: number): Finding => checkMemory(memory, { model: 'm.gguf', bytes: gigabytes * GB })
  assert.deepEqual([need(4), need(8), need(9), need(17)].map(state), ['ok', 'ok', 'warn', 'fail'])
  assert.match(need(17).detail, /m\.gguf needs about 17 GB; 8\.0 GB of 16 GB available/)
  assert.equal(state(checkMemory(memory, null)), 'ok')
  assert.equal(state(checkMemory({ total: GB, available: GB / 2 }, null)), 'warn')
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
