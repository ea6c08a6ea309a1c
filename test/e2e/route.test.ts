/** `swarmd route explain` against a consumer that knows a cheap and a dear provider. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RouteView } from '../../daemon/control/route.js'
import { CliHome } from '../helpers/cli.js'
import { smallNet } from '../helpers/small-net.js'

test('"route explain" says who would be asked, and why the others would not', async (t) => {
  const prices = ['7', '9000'].map((price) => ['--price-in', price, '--price-out', price])
  const { dataDir } = await smallNet(t, prices, ['--credit', '1000000'])
  const home = new CliHome(t)
  const explain = (...flags: readonly string[]): ReturnType<CliHome['run']> =>
    home.run(['route', 'explain', '--data', dataDir, ...flags])
  const view = JSON.parse((await explain('--sort', 'price', '--json')).stdout) as RouteView
  assert.equal(view.model, 'mock-words:f32')
  assert.deepEqual(
    view.candidates.map(({ price }) => price.output),
    ['7', '9000'],
  )
  assert.equal(view.chosen, view.candidates[0]?.provider)

  const ceiling = await explain('--model', 'mock-words', '--max-price', '100/8')
  assert.equal(ceiling.code, 0, ceiling.stderr)
  assert.match(ceiling.stdout, new RegExp(`asks ${String(view.chosen)}`))
  assert.match(ceiling.stdout, /price too high +9000 \/ 9000/)
  assert.match((await explain('--max-price', '1')).stdout, /nobody can be asked now/)

  const unknown = await explain('--model', 'mock-wrods:f32')
  assert.deepEqual([unknown.code, /Did you mean mock-words:f32/.test(unknown.stderr)], [1, true])
  assert.equal((await explain('--max-price', 'cheap')).code, 2)
})

test('what this node cannot pay for is named as such, and free offers are asked', async (t) => {
  const { dataDir } = await smallNet(t, [['--price-out', '5'], []])
  const home = new CliHome(t)
  const view = JSON.parse((await home.run(['route', 'explain', '--data', dataDir, '--json'])).stdout) as RouteView
  assert.deepEqual(
    view.candidates.map(({ price }) => price.output),
    ['0'],
  )
  assert.deepEqual(
    view.excluded.map(({ price, reason }) => [price.output, reason]),
    [['5', 'NO_MEANS']],
  )
})
