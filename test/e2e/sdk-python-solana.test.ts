/** The Python solana package against the embedded chain; its types (solders) are strict about every field. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startEmbeddedChain } from '../../ledger/chain/embedded/start.js'
import { pythonSdk } from '../helpers/python-sdk.js'

const sdk = pythonSdk('python-solana')

test(
  'python solana: an airdrop, a transfer, its status and its record',
  {
    skip: typeof sdk === 'string' ? sdk : false,
  },
  async (t) => {
    assert.ok(typeof sdk !== 'string')
    const chain = await startEmbeddedChain({ folder: null, port: 0 })
    t.after(() => chain.close())
    const { version, ...rest } = (await sdk.run({ url: chain.url })) as Readonly<Record<string, unknown>>
    assert.match(String(version), /^\d+\.\d+\.\d+$/)
    assert.deepEqual(rest, {
      alice: 3_999_995_000,
      bob: 1_000_000_000,
      errors: ['None', 'None'],
      fee: 5_000,
      owner: '11111111111111111111111111111111',
      slot: true,
    })
  },
)
