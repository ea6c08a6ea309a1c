/** Prices written into a config file by hand-made lines: nothing else in it changes, or nothing is written. */
import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { edited, priceLines, writePrices } from '../../daemon/config-prices.js'
import type { PriceChange, PricePlace } from '../../daemon/config-prices.js'
import { configTemplate } from '../../daemon/config-template.js'
import { loadConfig } from '../../daemon/config.js'
import type { LoadedConfig } from '../../daemon/config.js'

const FILE = `# mine
[api]
port = 8080 # the usual one

[[models]] # small
source = "a.gguf"
price_in = 5 # cheap
slots = 2

[[models]]
name = "b"
source = "b.gguf"

# the end
`

async function fileOf(t: TestContext, text: string | null): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'swarmd-prices-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'config.toml')
  if (text !== null) await writeFile(path, text, { mode: 0o640 })
  return path
}

function load(path: string): Promise<LoadedConfig> {
  return loadConfig({ flags: {}, configPath: path, env: {}, cwd: '/' })
}

test('a price is changed where it stands and added where it is missing; comments and order stay', () => {
  assert.equal(
    edited(FILE, { model: 0 }, { input: 7n, output: 9n }),
    FILE.replace('price_in = 5 # cheap\n', 'price_in = 7 # cheap\nprice_out = 9\n'),
  )
  assert.equal(
    edited(FILE, { model: 1 }, { cached: 1n }),
    FILE.replace('source = "b.gguf"\n', 'source = "b.gguf"\nprice_cached = 1\n'),
  )
  assert.equal(edited(FILE, 'default', { output: 3n }), `${FILE}\n[prices]\noutput = 3\n`)
  assert.equal(edited('', 'default', { output: 3n }), '[prices]\noutput = 3\n')
  assert.equal(
    edited('[prices]\r\ninput = 1\r\n', 'default', { input: 2n, output: 3n }),
    '[prices]\r\ninput = 2\r\noutput = 3\r\n',
  )
})

test('what is written is what the settings read, and everything else is as it was', async (t) => {
  const path = await fileOf(t, FILE)
  const before = await load(path)
  await writePrices(path, { model: 1 }, { input: 20_000n, output: 2n ** 64n - 1n })
  const after = await load(path)
  assert.deepEqual([after.models[1]?.priceIn, after.models[1]?.priceOut], [20_000n, 2n ** 64n - 1n])
  assert.deepEqual(after.models[0], before.models[0])
  assert.deepEqual(after.config, before.config)
  if (process.platform !== 'win32') assert.equal((await stat(path)).mode & 0o777, 0o640)
})

test('the commented template takes prices, and so does a file that is not there yet', async (t) => {
  const template = await fileOf(t, configTemplate())
  await writePrices(template, 'default', { input: 1n, output: 2n })
  assert.deepEqual(await pricesIn(template), [1n, 2n])
  const fresh = await fileOf(t, null)
  await writePrices(fresh, 'default', { input: 3n, output: 4n })
  assert.deepEqual(await pricesIn(fresh), [3n, 4n])
  if (process.platform !== 'win32') assert.equal((await stat(fresh)).mode & 0o777, 0o600)
})

async function pricesIn(path: string): Promise<readonly bigint[]> {
  const { config } = await load(path)
  return [config.priceIn, config.priceOut]
}

test('a file that says it in another way is left alone, and told what to write', async (t) => {
  const strange = [
    'prices.input = 5\n',
    'models = [{ source = "a", price_in = 5 }]\n',
    'prices = { input = 5 }\n',
    '[api]\nkey = """\n[prices]\n"""\n',
    '[[models]]\nsource = "a"\n"price_in" = 5\n',
  ]
  for (const text of strange) {
    const path = await fileOf(t, text)
    const place: PricePlace = text.includes('models') ? { model: 0 } : 'default'
    await assert.rejects(writePrices(path, place, { input: 9n }), { code: 'CONFIG_INVALID', message: /= 9/ }, text)
    assert.equal(await readFile(path, 'utf8'), text)
  }
})

test('a link to a file stays one, and a folder that cannot be written is told', async (t) => {
  const path = await fileOf(t, FILE)
  await symlink(path, `${path}.link`)
  await writePrices(`${path}.link`, 'default', { input: 1n })
  assert.match(await readFile(path, 'utf8'), /input = 1/)
  assert.match(await readFile(`${path}.link`, 'utf8'), /input = 1/)
  if (process.platform === 'win32' || process.getuid?.() === 0) return
  await chmod(join(path, '..'), 0o500)
  await assert.rejects(writePrices(path, 'default', { input: 2n }), { code: 'CONFIG_UNREADABLE' })
  await chmod(join(path, '..'), 0o700)
})

test('any change of any table of a file gives exactly these prices', async (t) => {
  const path = await fileOf(t, '')
  const line = fc.constantFrom(
    'price_in = 1',
    '  price_out=2   # so',
    'price_cached = "3"',
    '# price_in = 9',
    '',
    'slots = 2',
  )
  const table = fc.uniqueArray(line, { selector: (text) => text.trim().split(/[ =]/)[0] ?? text })
  const value = fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined })
  await fc.assert(
    fc.asyncProperty(
      fc.array(table, { minLength: 1, maxLength: 3 }),
      fc.nat(2),
      fc.record({ input: value, cached: value, output: value }),
      fc.constantFrom('\n', '\r\n'),
      async (tables, pick, given, end) => {
        const text = tables.map((lines, i) => ['[[models]]', `source = "${i}"`, ...lines, ''].join(end)).join('')
        await writeFile(path, text)
        const before = (await load(path)).models
        const at = pick % tables.length
        const change = Object.fromEntries(Object.entries(given).filter(([, one]) => one !== undefined)) as PriceChange
        await writePrices(path, { model: at }, change)
        const { models } = await load(path)
        const wanted = before.map((model, i) => ({
          ...model,
          ...(i === at && change.input !== undefined ? { priceIn: change.input } : {}),
          ...(i === at && change.cached !== undefined ? { priceCached: change.cached } : {}),
          ...(i === at && change.output !== undefined ? { priceOut: change.output } : {}),
        }))
        assert.deepEqual(models, wanted)
        const comments = (all: string): number => all.split('#').length
        assert.equal(comments(await readFile(path, 'utf8')), comments(text))
      },
    ),
    { numRuns: 300 },
  )
  assert.deepEqual(priceLines({ model: 0 }, { input: 2n ** 63n }), ['price_in = "9223372036854775808"'])
})
