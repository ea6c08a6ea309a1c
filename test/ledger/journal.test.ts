import assert from 'node:assert/strict'
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { Journal } from '../../ledger/store/journal.js'
import type { JournalFile } from '../../ledger/store/journal.js'
import type { Change } from '../../ledger/store/journal-frames.js'
import { filled } from './sample.js'
import { folderOf } from './folder.js'

function contents(journal: Journal): Record<string, string> {
  return Object.fromEntries([...journal.entries()].map(([key, value]) => [key, Buffer.from(value).toString()]))
}

function set(key: string, value: string): Change {
  return [key, Buffer.from(value)]
}

test('what was written is there after opening again, the newest value of each key', async (t) => {
  const path = join(folderOf(t), 'journal')
  const journal = await Journal.open(path)
  await journal.write([set('a', '1'), set('b', '2')])
  await Promise.all([journal.write([set('a', '3')]), journal.write([['b', null]]), journal.write([set('c', '')])])
  assert.deepEqual(contents(journal), { a: '3', c: '' })
  await journal.close()
  await journal.close()
  await assert.rejects(journal.write([set('d', '4')]), { code: 'STORE_CLOSED' })
  const again = await Journal.open(path)
  assert.deepEqual(contents(again), { a: '3', c: '' })
  assert.equal(statSync(path).mode & 0o777, 0o600)
  await again.close()
})

test('a write is visible and acknowledged only after the sync, and writers that come together share one', async (t) => {
  const syncs: (() => void)[] = []
  const wrap = (file: FileHandle): JournalFile => ({
    write: file.write.bind(file),
    close: () => file.close(),
    datasync: () => new Promise((resolve) => syncs.push(resolve)),
  })
  const journal = await Journal.open(join(folderOf(t), 'journal'), wrap)
  let acknowledged = 0
  const writes = ['a', 'b', 'c'].map((key) => journal.write([set(key, key)]).then(() => acknowledged++))
  while (syncs.length === 0) await new Promise(setImmediate)
  assert.equal(acknowledged, 0)
  assert.equal(journal.get('a'), null)
  syncs[0]?.()
  await Promise.all(writes)
  assert.equal(syncs.length, 1)
  assert.deepEqual(contents(journal), { a: 'a', b: 'b', c: 'c' })
  await journal.close()
})

test('after a failed write or sync nothing more is taken, and opening again finds what was acknowledged', async (t) => {
  for (const failing of ['write', 'datasync'] as const) {
    const path = join(folderOf(t), 'journal')
    let healthy = true
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    const wrap = (file: FileHandle): JournalFile => ({
      write: ((...args: Parameters<FileHandle['write']>) => {
        if (!healthy && failing === 'write') throw full
        return file.write(...args)
      }) as FileHandle['write'],
      close: () => file.close(),
      datasync: async () => {
        if (!healthy && failing === 'datasync') throw full
        await file.datasync()
      },
    })
    const journal = await Journal.open(path, wrap)
    await journal.write([set('a', '1')])
    healthy = false
    const failed = { code: 'STORE_WRITE_FAILED', message: /no space left/ }
    await Promise.all([
      assert.rejects(journal.write([set('a', '2')]), failed),
      assert.rejects(journal.write([set('b', '2')]), failed),
    ])
    healthy = true
    await assert.rejects(journal.write([set('a', '3')]), failed)
    assert.deepEqual(contents(journal), { a: '1' })
    await journal.close()
    const again = await Journal.open(path)
    assert.ok(['1', '2'].includes(contents(again)['a'] ?? ''), 'an unacknowledged write may or may not be there')
    await again.close()
  }
})

test('a last frame torn at any byte, or left as zeros, is as if it had never been written', async (t) => {
  const path = join(folderOf(t), 'journal')
  const journal = await Journal.open(path)
  await journal.write([set('a', '1')])
  const whole = statSync(path).size
  await journal.write([set('a', '2'), set('b', '2')])
  await journal.close()
  const bytes = readFileSync(path)
  for (let end = whole; end < bytes.length; end += 3) {
    for (const zeros of [0, 1, bytes.length - end]) {
      writeFileSync(path, Buffer.concat([bytes.subarray(0, end), Buffer.alloc(zeros)]))
      const torn = await Journal.open(path)
      assert.deepEqual(contents(torn), { a: '1' })
      await torn.write([set('c', '3')])
      await torn.close()
      const again = await Journal.open(path)
      assert.deepEqual(contents(again), { a: '1', c: '3' })
      await again.close()
    }
  }
})

test('damage in front of a good frame is no torn write: opening refuses and changes nothing', async (t) => {
  const path = join(folderOf(t), 'journal')
  const journal = await Journal.open(path)
  for (const value of ['1', '2', '3']) await journal.write([set('a', value)])
  await journal.close()
  const bytes = readFileSync(path)
  const frame = bytes.length / 3
  for (const at of [0, 5, 17, 50, frame, frame + 40]) {
    const damaged = Buffer.from(bytes)
    damaged[at] = (damaged[at] ?? 0) ^ 0x40
    writeFileSync(path, damaged)
    await assert.rejects(Journal.open(path), { code: 'STORE_CORRUPT' })
    assert.deepEqual(readFileSync(path), damaged)
  }
})

test('a frame that was cut out or written twice shows', async (t) => {
  const path = join(folderOf(t), 'journal')
  const journal = await Journal.open(path)
  for (const value of ['1', '2', '3']) await journal.write([set('a', value)])
  await journal.close()
  const bytes = readFileSync(path)
  const frame = bytes.length / 3
  writeFileSync(path, Buffer.concat([bytes.subarray(0, frame), bytes.subarray(2 * frame)]))
  await assert.rejects(Journal.open(path), { code: 'STORE_CORRUPT' })
  writeFileSync(path, Buffer.concat([bytes, bytes.subarray(0, frame)]))
  await assert.rejects(Journal.open(path), { code: 'STORE_CORRUPT' })
})

test('a file that is mostly out of date is rewritten between two writes, with the same contents', async (t) => {
  const path = join(folderOf(t), 'journal')
  const journal = await Journal.open(path)
  const value = filled(60_000, 7)
  for (let i = 0; i < 40; i++) {
    await journal.write([['large', value], set('i', `${i}`), set(`old ${i % 2}`, 'x')])
    assert.ok(statSync(path).size < 400_000, 'it never grows to many times what it holds')
  }
  assert.deepEqual(Object.keys(contents(journal)).sort(), ['i', 'large', 'old 0', 'old 1'])
  await journal.write([set('i', 'new')])
  await journal.close()
  const again = await Journal.open(path)
  assert.deepEqual(Object.keys(contents(again)).sort(), ['i', 'large', 'old 0', 'old 1'])
  assert.equal(contents(again)['i'], 'new')
  await again.write([set('i', 'newer')])
  await again.close()
  const third = await Journal.open(path)
  assert.equal(contents(third)['i'], 'newer')
  await third.close()
})

test('a crash while it is rewritten leaves the file as it was', async (t) => {
  const path = join(folderOf(t), 'journal')
  const journal = await Journal.open(path)
  await journal.write([set('a', '1')])
  await journal.close()
  appendFileSync(`${path}.new`, 'half of a new file')
  const again = await Journal.open(path)
  assert.deepEqual(contents(again), { a: '1' })
  assert.throws(() => statSync(`${path}.new`), { code: 'ENOENT' })
  await again.close()
})

test('any sequence of writes and openings is a map', async (t) => {
  const folder = folderOf(t)
  const change = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.option(fc.nat(3).map(String)))
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.array(change, { maxLength: 3 }) },
    { weight: 1, arbitrary: fc.constant('reopen' as const) },
  )
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      const path = join(folder, `${run++}`)
      const model = new Map<string, string>()
      let journal = await Journal.open(path)
      for (const one of steps) {
        if (one === 'reopen') {
          await journal.close()
          journal = await Journal.open(path)
        } else {
          await journal.write(one.map(([key, value]) => (value === null ? [key, null] : set(key, value))))
          for (const [key, value] of one)
            if (value === null) model.delete(key)
            else model.set(key, value)
        }
        assert.deepEqual(contents(journal), Object.fromEntries(model))
      }
      await journal.close()
    }),
    { numRuns: 25 },
  )
})
