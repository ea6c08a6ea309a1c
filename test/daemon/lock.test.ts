import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { tryLock } from 'fs-native-extensions'
import { acquireLock, isLocked, readHolder } from '../../daemon/lock.js'
import type { Holder } from '../../daemon/lock.js'

const HOLDER: Holder = { pid: process.pid, since: Date.UTC(2026, 10, 22), version: '0.1.0', apiUrl: null }
const LOCK_MODULE = new URL('../../daemon/lock.js', import.meta.url).href

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'swarmd-lock-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('the second holder is refused and told who the first is', (t) => {
  const dataDir = folder(t)
  const lock = acquireLock(dataDir, HOLDER)
  lock.describe({ ...HOLDER, apiUrl: 'http://127.0.0.1:8080' })
  assert.throws(
    () => acquireLock(dataDir, HOLDER),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'DATA_LOCKED')
      for (const part of [
        String(process.pid),
        '2026-11-22T00:00:00.000Z',
        'http://127.0.0.1:8080',
        dataDir,
        'swarmd stop',
      ]) {
        assert.ok(error.message.includes(part), part)
      }
      return true
    },
  )
  assert.ok(isLocked(dataDir))
  lock.release()
  lock.release()
  assert.ok(!isLocked(dataDir))
  assert.equal(readHolder(dataDir), null)
  acquireLock(dataDir, HOLDER).release()
})

test('who only looks is not taken for a holder by another who looks', (t) => {
  const dataDir = folder(t)
  acquireLock(dataDir, HOLDER).release()
  const fd = openSync(join(dataDir, 'lock'), 'r+')
  t.after(() => closeSync(fd))
  assert.ok(tryLock(fd, { shared: true }))
  assert.ok(!isLocked(dataDir))
})

test('the folder is made, for this user alone', (t) => {
  const dataDir = join(folder(t), 'a', 'b')
  assert.ok(!isLocked(dataDir))
  const lock = acquireLock(dataDir, HOLDER)
  if (process.platform !== 'win32') assert.equal(statSync(dataDir).mode & 0o777, 0o700)
  lock.release()
})

test('a lock does not outlive a holder that was killed', async (t) => {
  const dataDir = folder(t)
  const script = `const { acquireLock } = await import(${JSON.stringify(LOCK_MODULE)})
    acquireLock(${JSON.stringify(dataDir)}, { pid: process.pid, since: 0, version: '0', apiUrl: null })
    process.stdout.write('held')
    setInterval(() => undefined, 1e6)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  assert.ok(isLocked(dataDir))
  assert.equal(readHolder(dataDir)?.pid, child.pid)
  assert.throws(() => acquireLock(dataDir, HOLDER), { code: 'DATA_LOCKED' })
  child.kill('SIGKILL')
  await once(child, 'exit')
  assert.ok(existsSync(join(dataDir, 'holder.json')), 'what the dead holder wrote is still there')
  assert.ok(!isLocked(dataDir))
  acquireLock(dataDir, HOLDER).release()
})

test('of many that try at once exactly one gets the lock', (t) => {
  const dataDir = folder(t)
  const tries = Array.from({ length: 20 }, () => {
    try {
      return acquireLock(dataDir, HOLDER)
    } catch {
      return null
    }
  })
  const held = tries.filter((lock) => lock !== null)
  assert.equal(held.length, 1)
  for (const lock of held) lock.release()
})

test('damaged words about the holder do not hide that there is one', (t) => {
  const dataDir = folder(t)
  const lock = acquireLock(dataDir, HOLDER)
  for (const damaged of ['', '{', '[]', '{"pid":"x"}', 'null']) {
    writeFileSync(join(dataDir, 'holder.json'), damaged)
    assert.equal(readHolder(dataDir), null)
    assert.throws(() => acquireLock(dataDir, HOLDER), /^DaemonError: Another process uses the data folder/)
  }
  lock.release()
})

test(
  'a folder that the kernel does not let be made is refused at once',
  { skip: process.platform !== 'linux' && 'no /proc' },
  () => {
    // Node's own recursive mkdir never returns here.
    assert.throws(() => acquireLock('/proc/swarmd/data', HOLDER), { code: 'DATA_UNUSABLE' })
  },
)

test('a data folder that cannot be one is refused with its path', (t) => {
  const file = join(folder(t), 'file')
  writeFileSync(file, '')
  for (const path of [file, join(file, 'below')]) {
    assert.throws(() => acquireLock(path, HOLDER), { code: 'DATA_UNUSABLE', message: new RegExp(`${path}.*--data`) })
  }
})
