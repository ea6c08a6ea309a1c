import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import { parse } from 'smol-toml'
import { hostPort, integer, listOf, mapOf, origin, unsigned64, yesOrNo } from '../../daemon/config-kinds.js'
import { CONFIG_KEYS, KEYS } from '../../daemon/config-keys.js'
import { nearNames } from '../../daemon/config-near.js'
import { nodeOptions } from '../../daemon/config-options.js'
import { configTemplate } from '../../daemon/config-template.js'
import { loadConfig } from '../../daemon/config.js'
import type { Environment, Flags, LoadedConfig } from '../../daemon/config.js'

interface Given {
  readonly flags?: Flags
  readonly env?: Environment
  readonly toml?: string
}

function load(t: TestContext, { flags = {}, env = {}, toml }: Given): Promise<LoadedConfig> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmd-config-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const configPath = join(folder, 'config.toml')
  writeFileSync(configPath, toml ?? '')
  return loadConfig({ flags, configPath, env, cwd: folder })
}

const NO_MODELS = { sources: [], name: null, tokensPerSecond: 0, cwd: '/' } as const

test('a flag wins over the environment, which wins over the file, which wins over the default', async (t) => {
  const toml = '[api]\nport = 1003\n[swarm]\nnetwork = "from-file"\n'
  const env = { SWARMD_PORT: '1002', SWARMD_NETWORK: '' }
  const all = await load(t, { flags: { port: '1001' }, env, toml })
  assert.equal(all.config.port, 1001)
  assert.deepEqual(all.origins.port, { from: 'flag', name: '--port' })
  const withoutFlag = await load(t, { env, toml })
  assert.equal(withoutFlag.config.port, 1002)
  assert.deepEqual(withoutFlag.origins.port, { from: 'environment', name: 'SWARMD_PORT' })
  const fileOnly = await load(t, { toml })
  assert.equal(fileOnly.config.port, 1003)
  assert.equal(fileOnly.origins.port.from, 'file')
  const nothing = await load(t, {})
  assert.equal(nothing.config.port, 8080)
  assert.equal(nothing.origins.port.from, 'default')
  assert.equal(all.config.network, 'from-file', 'an empty variable counts as not set')
})

test('a bad value is refused with its flag, variable or key, what was given and what is allowed', async (t) => {
  const cases: readonly (readonly [Given, RegExp])[] = [
    [{ flags: { port: '65536' } }, /^--port 65536 is not allowed; it must be a whole number from 0 to 65535/],
    [{ flags: { port: '80.5' } }, /--port 80\.5 is not allowed/],
    [{ flags: { port: '' } }, /--port "" is not allowed/],
    [{ env: { SWARMD_PORT: 'http' } }, /^SWARMD_PORT = http is not allowed/],
    [{ toml: '[api]\nport = "many"' }, /config\.toml: api\.port = many is not allowed/],
    [{ toml: '[api]\nport = -1' }, /api\.port = -1 is not allowed/],
    [{ flags: { bootstrap: ['10.0.0.1'] } }, /--bootstrap \[ '10\.0\.0\.1' \] is not allowed; it must be .*HOST:PORT/],
    [{ flags: { network: 'two words' } }, /--network two words is not allowed/],
    [{ flags: { allow: ['abc'] } }, /--allow .* 64 hexadecimal digits/],
    [{ env: { SWARMD_OFFLINE: 'perhaps' } }, /SWARMD_OFFLINE = perhaps is not allowed; it must be true or false/],
    [{ flags: { priceIn: '1.5' } }, /--price-in 1\.5 is not allowed; it must be a whole number of lamports/],
    [{ flags: { logLevel: 'loud' } }, /--log-level loud is not allowed; it must be one of debug/],
    [{ toml: 'api = 3' }, /"api" must be a section/],
    [{ toml: 'models = 3' }, /models must be at most 32 tables/],
    [{ toml: '[[models]]\nprice_in = 3' }, /models\[0\] needs a source/],
    [{ toml: '[[models]]\nsource = "a.gguf"\nprice_inn = 3' }, /models\[0\]: .*"price_inn"; did you mean "price_in"/],
    [{ toml: '[[models]]\nsource = "a.gguf"\nslots = 0' }, /models\[0\]\.slots = 0 is not allowed/],
  ]
  for (const [given, message] of cases) {
    await assert.rejects(load(t, given), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'CONFIG_INVALID')
      assert.match(error.message, message)
      return true
    })
  }
})

test('a secret that is malformed is not repeated in the error', async (t) => {
  const secret = 'has a space and is secret'
  await assert.rejects(load(t, { env: { SWARMD_API_KEY: secret } }), (error: Error) => {
    assert.match(error.message, /^SWARMD_API_KEY is not allowed/)
    return !error.message.includes(secret)
  })
  await assert.rejects(load(t, { toml: `[api]\nkey = "${secret}` }), (error: Error) => {
    assert.match(error.message, /config\.toml, line \d+, column \d+/)
    return !error.message.includes(secret)
  })
})

test('the addresses of a chain come repeated or separated by commas, and are never shown', async (t) => {
  const [one, two, three] = ['http://127.0.0.1:8899', 'https://rpc.example/hidden', 'https://rpc2.example/?key=hidden']
  const urls = async (given: Given): Promise<readonly string[] | undefined> =>
    nodeOptions(await load(t, given), NO_MODELS, '1').chain?.urls
  assert.deepEqual(await urls({ flags: { chainUrl: [`${one},${two}`, three] } }), [one, two, three])
  assert.deepEqual(await urls({ env: { SWARMD_CHAIN: `${one}, ${two}` } }), [one, two])
  assert.deepEqual(await urls({ toml: `[chain]\nurl = "${one}"` }), [one])
  assert.deepEqual(await urls({ toml: `[chain]\nurl = ["${one}", "${three}"]` }), [one, three])
  assert.equal(await urls({}), undefined)
  await assert.rejects(urls({ flags: { chainUrl: [`${one},ftp://hidden`] } }), (error: Error) => {
    assert.match(error.message, /^--chain is not allowed/)
    return !error.message.includes('hidden')
  })
})

test('a priority fee is fixed, or automatic up to a limit', async (t) => {
  const fee = async (value: string): Promise<unknown> => {
    const loaded = await load(t, { toml: `[chain]\nurl = "http://127.0.0.1:8899"\npriority_fee = ${value}` })
    return nodeOptions(loaded, NO_MODELS, '1').chain?.priorityFee
  }
  assert.deepEqual(await fee('0'), { least: 0n, most: 0n })
  assert.deepEqual(await fee('700'), { least: 700n, most: 0n })
  assert.deepEqual(await fee('"auto"'), { least: 0n, most: 50_000n })
  assert.deepEqual(await fee('"auto 9"'), { least: 0n, most: 9n })
  for (const bad of ['"auto 0"', '-1', '1.5', '"lots"', '1000000000']) {
    await assert.rejects(fee(bad), { code: 'CONFIG_INVALID' }, bad)
  }
})

test('unknown settings and variables are warnings that name the nearest known one', async (t) => {
  const { warnings } = await load(t, {
    toml: '[api]\nprot = 1\n[swram]\nnetwork = "x"\n',
    env: { SWARMD_PROT: '1', SWARMD_SOMETHING_ELSE: '1' },
  })
  assert.equal(warnings.length, 3)
  assert.match(warnings.join('\n'), /"api\.prot"; did you mean "api\.port"/)
  assert.match(warnings.join('\n'), /no setting "swram"/)
  assert.match(warnings.join('\n'), /SWARMD_PROT; did you mean SWARMD_PORT/)
})

test('a file that was asked for must be there; the usual one may be missing', async () => {
  const input = { flags: {}, env: {}, cwd: '/', configPath: '/nonexistent/swarmd.toml' }
  await assert.rejects(loadConfig(input), { code: 'CONFIG_UNREADABLE' })
  await assert.rejects(loadConfig({ ...input, configPath: '/' }), { code: 'CONFIG_UNREADABLE' })
})

test('paths are relative to the config file, or to the working folder when given as a flag', async (t) => {
  const fromFile = await load(t, { toml: 'data = "here"\n[[models]]\nsource = "m.gguf"\n' })
  const folder = join(fromFile.file.path, '..')
  assert.equal(fromFile.dataDir, join(folder, 'here'))
  assert.equal(fromFile.models[0]?.source, join(folder, 'm.gguf'))
  const fromFlag = await loadConfig({
    flags: { dataDir: 'there' },
    configPath: fromFile.file.path,
    env: {},
    cwd: '/somewhere',
  })
  assert.equal(fromFlag.dataDir, '/somewhere/there')
})

test('the template is valid TOML that changes nothing, and names every setting', async (t) => {
  const template = configTemplate()
  const { origins, warnings } = await load(t, { toml: template })
  assert.deepEqual(warnings, [])
  assert.ok(Object.values(origins).every(({ from }) => from === 'default'))
  for (const key of CONFIG_KEYS) {
    const name = KEYS[key].file.split('.').at(-1) ?? ''
    assert.ok(template.includes(key === 'aliases' ? '[aliases]' : `# ${name} = `), name)
  }
})

test('with every "#" before a setting taken away the template is still valid', async (t) => {
  const hex = 'ab'.repeat(32)
  const toml = configTemplate()
    .replaceAll('64 hexadecimal digits"', `${hex}"`)
    .replaceAll(/^# (?=("[^"]+"|[a-z_]+) = |\[\[(models|keys))/gm, '')
  assert.ok('models' in parse(toml))
  const { warnings, origins, models, apiKeys } = await load(t, { toml })
  assert.deepEqual(warnings, [])
  assert.deepEqual(
    CONFIG_KEYS.filter((key) => origins[key].from !== 'file'),
    [],
  )
  assert.deepEqual([models.length, apiKeys.length], [1, 1])
})

test('prices are u64 in every notation, larger ones are refused', async (t) => {
  const largest = 18446744073709551615n
  assert.equal((await load(t, { flags: { priceIn: String(largest) } })).config.priceIn, largest)
  // TOML integers are signed: 2^63 - 1 is the largest a file can hold.
  assert.equal((await load(t, { toml: '[prices]\ninput = 9223372036854775807' })).config.priceIn, 9223372036854775807n)
  await assert.rejects(load(t, { flags: { priceIn: '18446744073709551616' } }), { code: 'CONFIG_INVALID' })
})

test('a value of any kind is a value of that kind or undefined, never an exception', () => {
  const kinds = [integer(0, 9), unsigned64('x'), hostPort, origin, yesOrNo, listOf(hostPort, 3), mapOf(3)]
  fc.assert(
    fc.property(
      fc.oneof(fc.anything({ withBigInt: true, withNullPrototype: true }), fc.string()),
      fc.constantFrom(...kinds),
      (raw, kind) => {
        kind.parse(raw)
      },
    ),
  )
})

test('host and port survive the way through text', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.integer({ min: 1, max: 65535 }), (host, port) => {
      assert.deepEqual(hostPort.parse(`${host}:${port}`), { host, port })
    }),
  )
  assert.deepEqual(hostPort.parse('[2001:db8::7]:49737'), { host: '2001:db8::7', port: 49737 })
  for (const bad of ['host', 'host:', ':1', 'host:0', 'host:65536', 'a:b:1', 'host:1x', '2001:db8::7:1'])
    assert.equal(hostPort.parse(bad), undefined)
})

test('near names are at most two edits away, nearest first', () => {
  assert.deepEqual(nearNames('prot', ['port', 'host', 'data']), ['port'])
  assert.deepEqual(nearNames('api.hots', ['api.host', 'api.port']), ['api.host'])
  assert.deepEqual(nearNames('zzzz', ['port', 'host']), [])
})

test('an API beyond loopback needs a key', async (t) => {
  const open = await load(t, { flags: { host: '0.0.0.0' } })
  assert.throws(() => nodeOptions(open, null, '1'), /needs a key/)
  const keyed = await load(t, { flags: { host: '0.0.0.0' }, env: { SWARMD_API_KEY: 'long-enough' } })
  assert.equal(nodeOptions(keyed, null, '1').api?.key, 'long-enough')
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) {
    assert.equal(nodeOptions(await load(t, { flags: { host } }), null, '1').api?.key, null)
  }
})

test('names beyond this machine under which the API may be called reach it, and a port is no part of a name', async (t) => {
  const toml = '[api]\nallow_hosts = ["gateway.example", "[2001:db8::7]"]\n'
  assert.deepEqual(nodeOptions(await load(t, { toml }), null, '1').api?.allowHosts, [
    'gateway.example',
    '[2001:db8::7]',
  ])
  assert.deepEqual(nodeOptions(await load(t, {}), null, '1').api?.allowHosts, [])
  for (const name of ['gateway.example:8080', 'http://gateway.example', ''])
    await assert.rejects(load(t, { flags: { allowHosts: [name] } }), /--allow-host .* a host name without a port/)
})

test('the API key is the first line of its file', async (t) => {
  const loaded = await load(t, { toml: '[api]\nkey_file = "api.key"\n' })
  assert.throws(() => nodeOptions(loaded, null, '1'), { code: 'CONFIG_UNREADABLE' })
  const file = join(loaded.file.path, '..', 'api.key')
  writeFileSync(file, '  secret-in-a-file  \nsecond line\n')
  assert.equal(nodeOptions(loaded, null, '1').api?.key, 'secret-in-a-file')
  writeFileSync(file, 'short\n')
  assert.throws(() => nodeOptions(loaded, null, '1'), { code: 'CONFIG_INVALID' })
})

test('a mock model never joins the public network', async (t) => {
  const served = { ...NO_MODELS, sources: ['mock'] }
  const usual = await load(t, {})
  assert.throws(() => nodeOptions(usual, served, '1'), /mock model never joins the public network/)
  const named = nodeOptions(await load(t, { flags: { network: 'test' } }), { ...served, tokensPerSecond: 7 }, '1')
  assert.deepEqual(named.models[0]?.mock, { tokensPerSecond: 7 })
  assert.equal(nodeOptions(await load(t, { flags: { offline: true } }), served, '1').swarm, null)
})

test('an invite belongs to a private network', async (t) => {
  const invite = '0f'.repeat(32)
  const usual = await load(t, { env: { SWARMD_INVITE: invite } })
  assert.throws(() => nodeOptions(usual, null, '1'), /private network/)
  const { swarm } = nodeOptions(
    await load(t, { flags: { network: 'friends' }, env: { SWARMD_INVITE: invite } }),
    null,
    '1',
  )
  assert.equal(Buffer.from(swarm?.invite ?? []).toString('hex'), invite)
})

test('an empty allow-list lets nobody in, a missing one everybody', async (t) => {
  assert.deepEqual(nodeOptions(await load(t, { toml: '[swarm]\nallow = []' }), null, '1').swarm?.allow, [])
  assert.equal(nodeOptions(await load(t, {}), null, '1').swarm?.allow, null)
})

test('a model takes its own settings, then the general ones; flags win over both', async (t) => {
  const toml =
    '[prices]\ninput = 5\n[engine]\nslots = 2\n[[models]]\nsource = "/m/a.gguf"\nprice_in = 7\n[[models]]\nsource = "/m/b.gguf"\n'
  const prices = (given: Flags, sources: readonly string[] = []): Promise<readonly string[]> =>
    load(t, { toml, flags: given }).then((loaded) =>
      nodeOptions(loaded, { ...NO_MODELS, sources }, '1').models.map(
        (model) => `${model.source} ${model.prices.input} ${model.prices.cached} ${model.slots}`,
      ),
    )
  assert.deepEqual(await prices({}), ['/m/a.gguf 7 7 2', '/m/b.gguf 5 5 2'])
  assert.deepEqual(await prices({ priceIn: '9', priceCached: '1' }), ['/m/a.gguf 9 1 2', '/m/b.gguf 9 1 2'])
  assert.deepEqual(
    await prices({}, ['/m/a.gguf']),
    ['/m/a.gguf 7 7 2'],
    'a model named on the command line keeps its table',
  )
  assert.deepEqual(await prices({ slots: '4' }, ['/m/c.gguf', 'hf:u/r:q4']), ['/m/c.gguf 5 5 4', 'hf:u/r:q4 5 5 4'])
})

test('budgets are lamports or texts with a unit, for everything and for named API keys', async (t) => {
  const toml = `
    [api]
    key = "owner-key"
    [budget]
    per_day = "0.05 SOL"
    [[keys]]
    name = "laptop"
    key = "laptop-key"
    per_request = 2000
    [[keys]]
    name = "phone"
    key = "phone-key"
    per_day = "1 lamport"`
  const { api, budget } = nodeOptions(
    await load(t, { toml, env: { SWARMD_BUDGET_PER_REQUEST: '20000 lamports' } }),
    NO_MODELS,
    '0',
  )
  assert.deepEqual(budget.all, { perRequest: 20_000n, perDay: 50_000_000n })
  assert.deepEqual(budget.keys.get('laptop'), { perRequest: 2000n, perDay: null })
  assert.deepEqual(budget.keys.get('phone'), { perRequest: null, perDay: 1n })
  assert.deepEqual(
    [...(api?.keys ?? [])],
    [
      ['laptop', 'laptop-key'],
      ['phone', 'phone-key'],
    ],
  )
  for (const wrong of ['"1.5 lamports"', '"0.0000000001 SOL"', '"5 EUR"', '-1', '1.5', '"x"', '"18446744073709551616"'])
    await assert.rejects(load(t, { toml: `[budget]\nper_day = ${wrong}` }), /budget\.per_day = .* is not allowed/)
})

test('a named API key that would limit nobody, or is unclear, is refused without telling it', async (t) => {
  const options = async (toml: string): Promise<unknown> => nodeOptions(await load(t, { toml }), NO_MODELS, '0')
  const one = '[[keys]]\nname = "a"\nkey = "secret-a"\n'
  const cases: readonly (readonly [string, RegExp])[] = [
    [one, /set api\.key or api\.key_file too/],
    [`[api]\nkey = "secret-a"\n${one}`, /same as another/],
    [`[api]\nkey = "owner-key"\n${one}${one}`, /two \[\[keys\]\] are named "a"/],
    [`${one}per_dya = 5`, /keys\[0\]: .*there is no setting "per_dya"; did you mean "per_day"/],
    ['[[keys]]\nkey = "secret-a"', /keys\[0\] needs a name/],
    ['[[keys]]\nname = "a"', /needs either a key or a key_file/],
    [`${one}key_file = "b"`, /needs either a key or a key_file/],
    ['[[keys]]\nname = "a"\nkey = "a b c d e secret-a"', /keys\[0\]\.key is not allowed/],
    ['keys = 5', /keys must be at most/],
  ]
  for (const [toml, words] of cases)
    await assert.rejects(options(toml), (error) => {
      assert.match(String(error), words)
      assert.ok(!String(error).includes('secret-a'))
      return true
    })
})
