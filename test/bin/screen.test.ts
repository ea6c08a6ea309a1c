import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createScreen } from '../../bin/screen.js'
import { renderTable } from '../../bin/table.js'
import { bytes, duration, priceWords, weights } from '../../bin/words.js'
import type { Progress } from '../../daemon/node-options.js'
import { fakeIo } from '../helpers/fake-io.js'

function hashing(done: number, finished = false): Progress {
  return { kind: 'hash', model: 'm.gguf', done, total: 1000, finished }
}

test('without a terminal progress is a few plain lines', () => {
  const io = fakeIo()
  const screen = createScreen(io, false)
  for (let done = 0; done <= 1000; done += 10) screen.progress(hashing(done))
  screen.progress(hashing(1000, true))
  screen.progress({ kind: 'download', model: 'http://x/m', done: 5_000_000, total: null, finished: false })
  screen.stop()
  assert.deepEqual(io.written().trimEnd().split('\n'), [
    'Hashing m.gguf 0 % of 1.0 kB',
    'Hashing m.gguf 25 % of 1.0 kB',
    'Hashing m.gguf 50 % of 1.0 kB',
    'Hashing m.gguf 75 % of 1.0 kB',
    'Hashing m.gguf 100 % of 1.0 kB',
    'Hashed m.gguf',
    'Downloading http://x/m 5.0 MB',
  ])
})

test('under --json progress and lines are nothing', () => {
  const io = fakeIo({ tty: true })
  const screen = createScreen(io, true)
  screen.line('words')
  screen.progress(hashing(1))
  screen.stop()
  assert.equal(io.written(), '')
})

test('on a terminal there are bars, lines get above them, and both end', async () => {
  const io = fakeIo({ tty: true })
  const screen = createScreen(io, false)
  screen.progress(hashing(250))
  await io.saw('25 %')
  screen.progress({ kind: 'load', model: 'n', done: 500, total: 1000, finished: false })
  screen.line('a line')
  await io.saw('Loading n 50 %')
  screen.progress(hashing(1000, true))
  await io.saw('Hashed m.gguf')
  screen.progress({ kind: 'load', model: 'n', done: 1000, total: 1000, finished: true })
  screen.stop()
  screen.stop()
  screen.line('after')
  assert.match(io.written(), /a line\n/)
  assert.match(io.written(), /Loaded n\nafter\n$/)
})

test('a progress that ends before the bars are there leaves one line', async () => {
  const io = fakeIo({ tty: true })
  const screen = createScreen(io, false)
  screen.progress(hashing(1))
  screen.progress(hashing(1000, true))
  await io.saw('Hashed m.gguf\n')
  await import('cli-progress')
  screen.stop()
  assert.equal(io.written(), 'Hashed m.gguf\n')
})

test('a table is never wider than the terminal while its columns can shrink, and never loses a row', () => {
  const columns = [
    { title: 'NAME', shrinkTo: 6, cell: (row: readonly [string, number]) => row[0] },
    { title: 'N', align: 'right' as const, cell: (row: readonly [string, number]) => String(row[1]) },
  ]
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.stringMatching(/^[a-z]{0,40}$/), fc.nat(999))),
      fc.integer({ min: 12, max: 60 }),
      (rows, width) => {
        const lines = renderTable(columns, rows, width).trimEnd().split('\n')
        assert.equal(lines.length, rows.length + 1)
        for (const line of lines) assert.ok(line.length <= width, `${line.length} > ${width}`)
      },
    ),
  )
  assert.equal(
    renderTable(
      columns,
      [
        ['abc', 5],
        ['d', 12],
      ],
      0,
    ),
    'NAME   N\nabc    5\nd     12\n',
  )
})

test('figures are written as people read them', () => {
  assert.deepEqual([0, 999, 1000, 123_456, 98_000_000, 1_234_000_000].map(bytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '123 kB',
    '98.0 MB',
    '1.2 GB',
  ])
  assert.deepEqual([0, 6_800_000, 134_515_008, 8_200_000_000].map(weights), ['?', '6.8M', '135M', '8.2B'])
  assert.deepEqual([0, 61_000, 7_260_000, 273_600_000].map(duration), ['0s', '1m 1s', '2h 1m', '3d 4h'])
  assert.deepEqual(
    [null, { input: '0', cached: '0', output: '0' }, { input: '1', cached: '0', output: '2' }].map(priceWords),
    ['own', 'free', '1 / 2'],
  )
})
