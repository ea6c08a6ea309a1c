import assert from 'node:assert/strict'
import { test } from 'node:test'
import { standingColumns } from '../../bin/standing.js'

const standing = {
  registeredAt: 1_000,
  settled: '2500000000',
  settlements: '3',
  channelsOpened: '2',
  channelsClosed: '1',
  ordersClaimed: '0',
  ordersRefunded: '0',
}

test('where no chain is used there is no column about one', () => {
  assert.deepEqual(standingColumns(0, [{}, { standing: null }]), [])
})

test('settled money and age are shown, and a dash for who is not on the chain', () => {
  const rows = [{ standing }, { standing: null }, { standing: { ...standing, settled: '0' } }]
  const columns = standingColumns(1_060_000, rows)
  assert.deepEqual(
    rows.map((row) => columns.map(({ cell }) => cell(row))),
    [
      ['2.5 SOL', '1m 0s'],
      ['-', '-'],
      ['0', '1m 0s'],
    ],
  )
})
