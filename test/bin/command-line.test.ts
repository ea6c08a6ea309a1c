import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { CliHome } from '../helpers/cli.js'
import { readText } from '../helpers/repository.js'

const COMMANDS = ['up', 'serve', 'chat', 'models', 'peers', 'status', 'doctor', 'bootstrap', 'demo', 'stop', 'config']

test('without a command, and with --help, the help lists every command and where to start', async (t) => {
  const home = new CliHome(t)
  const [bare, help] = await Promise.all([home.run([]), home.run(['--help'])])
  assert.equal(bare.code, 0)
  assert.equal(bare.stdout, help.stdout)
  for (const command of COMMANDS) assert.match(help.stdout, new RegExp(`^  ${command} +\\S`, 'm'))
  assert.match(help.stdout, /Start here:[\s\S]*swarmd up/)
  assert.match(help.stdout, /Exit codes: 0 ok/)
  assert.equal(help.stderr, '')
})

test('every command explains itself with examples', async (t) => {
  const home = new CliHome(t)
  for (const command of COMMANDS) {
    const { code, stdout, stderr } = await home.run([command, '--help'])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^Examples:$/m, command)
    assert.match(stdout, /--data <dir>/, command)
    // What is laid out by hand fits a terminal of 80 columns; options are wrapped to the terminal at hand.
    const prose = stdout.slice(stdout.indexOf('\n\n', stdout.indexOf('--data <dir>'))).split('\n')
    for (const line of prose) if (/^\S/.test(line)) assert.ok(line.length <= 80, line)
  }
})

test('the version is the one of package.json', async (t) => {
  const { version } = JSON.parse(readText('package.json')) as { version: string }
  assert.equal((await new CliHome(t).run(['--version'])).stdout, `${version}\n`)
})

test('wrong usage ends with exit code 2, names what is wrong, and writes nothing to standard output', async (t) => {
  const home = new CliHome(t)
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['serv'], /unknown command 'serv'\n\(Did you mean serve\?\)/],
    [['up', '--prot', '1'], /unknown option '--prot'\n\(Did you mean --port\?\)/],
    [['up', '--port'], /'--port <n>' argument missing/],
    [['up', '--port', '70000'], /--port 70000 is not allowed; it must be a whole number from 0 to 65535/],
    [['status', '--port', 'x'], /--port x is not allowed/],
    [['up', '--bootstrap', 'nowhere'], /--bootstrap .*nowhere.* is not allowed.*HOST:PORT/],
    [['up', 'extra'], /too many arguments/],
    [['serve'], /Which model\?/],
    [['serve', 'mock'], /mock model never joins the public network/],
    [['serve', 'mock', '--offline', '--tokens-per-second', '-1'], /--tokens-per-second -1 is not allowed/],
    [['serve', 'a.gguf', 'b.gguf', '--name', 'x'], /--name goes with exactly one model/],
    [['up', '--host', '0.0.0.0'], /needs a key/],
    [['stop', '--timeout', 'long'], /--timeout long is not allowed/],
    [['config', 'dance'], /no "swarmd config dance"/],
    [['config', 'get', 'api.prot'], /no setting "api\.prot"; did you mean api\.port/],
    [['bootstrap', '--host', 'example.org'], /--host example\.org is not allowed.*IPv4/],
    [['bootstrap', '--host', '127.0.0.1', '--port', '-5'], /--port -5 is not allowed/],
    [['chat', '--max-tokens', '0'], /--max-tokens 0 is not allowed/],
    [['--config', 'absent.toml', 'status'], /There is no config file .*absent\.toml.*config init/],
  ]
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await home.run(args)
    assert.match(stderr, message)
    assert.equal(code, 2, args.join(' '))
    assert.equal(stdout, '', args.join(' '))
  }
})

test('with --json an error is one JSON document on standard output and nothing on standard error', async (t) => {
  const home = new CliHome(t)
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [['serv', '--json'], 2, 'USAGE'],
    [['up', '--port', 'x', '--json'], 2, 'CONFIG_INVALID'],
    [['--json', 'status'], 3, 'NOT_RUNNING'],
    [['models', '--json'], 3, 'NOT_RUNNING'],
    [['peers', '--json'], 3, 'NOT_RUNNING'],
    [['stop', '--json'], 3, 'NOT_RUNNING'],
    [['chat', '--json', '-m', 'x', 'hello'], 3, 'NOT_RUNNING'],
  ]
  for (const [args, exitCode, errorCode] of cases) {
    const { code, stdout, stderr } = await home.run(args)
    const { error } = JSON.parse(stdout) as { error: { code: string; message: string } }
    assert.deepEqual([code, error.code, stderr], [exitCode, errorCode, ''], args.join(' '))
    assert.ok(error.message.length > 10)
    assert.equal(stdout.trimEnd().split('\n').length, 1)
  }
})

test('"config init" writes the commented file once, for its owner alone', async (t) => {
  const home = new CliHome(t)
  const file = home.path('config', 'swarmd', 'config.toml')
  assert.equal((await home.run(['config', 'path'])).stdout, `${file}\n`)
  assert.equal((await home.run(['config', 'init'])).code, 0)
  if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o777, 0o600)
  writeFileSync(file, '[api]\nport = 9\n')
  const again = await home.run(['config', 'init'])
  assert.equal(again.code, 2)
  assert.match(again.stderr, /exists already; --force/)
  assert.equal(readFileSync(file, 'utf8'), '[api]\nport = 9\n')
  const forced = await home.run(['config', 'init', '--force', '--json'])
  assert.deepEqual(JSON.parse(forced.stdout), { path: file, written: true })
  assert.match(readFileSync(file, 'utf8'), /^# port = 8080$/m)
})

test('"config" shows each value with its origin, and keeps secrets to itself', async (t) => {
  const home = new CliHome(t)
  const file = home.path('config.toml')
  writeFileSync(file, '[api]\nport = 1234\nprot = 1\n[prices]\noutput = 9007199254740993\n')
  const env = { SWARMD_CONFIG: file, SWARMD_NETWORK: 'n1', SWARMD_API_KEY: 'top-secret-key' }
  const { stdout } = await home.run(['config', '--json', '--data', 'here'], { env })
  assert.ok(!stdout.includes('top-secret-key'))
  const shown = JSON.parse(stdout) as {
    file: object
    settings: Record<string, { value: unknown; from: string; name: string }>
    warnings: string[]
  }
  assert.deepEqual(shown.file, { path: file, exists: true })
  assert.deepEqual(shown.settings['api.port'], { value: 1234, from: 'file', name: `${file}: api.port` })
  assert.deepEqual(shown.settings['prices.output'], {
    value: '9007199254740993',
    from: 'file',
    name: `${file}: prices.output`,
  })
  assert.deepEqual(shown.settings['swarm.network'], { value: 'n1', from: 'environment', name: 'SWARMD_NETWORK' })
  assert.deepEqual(shown.settings['api.key'], { value: '(secret)', from: 'environment', name: 'SWARMD_API_KEY' })
  assert.deepEqual(shown.settings['data'], { value: home.path('here'), from: 'flag', name: '--data' })
  assert.deepEqual(shown.settings['log.level'], { value: 'info', from: 'default', name: '' })
  assert.match(shown.warnings.join(), /api\.prot/)
  const get = await home.run(['config', 'get', 'api.port'], { env })
  assert.equal(get.stdout, '1234\n')
  const words = await home.run(['config'], { env })
  assert.match(words.stdout, /^api\.port +1234 +config file$/m)
  assert.match(words.stdout, /^api\.key +\(secret\) +SWARMD_API_KEY$/m)
  assert.ok(!existsSync(home.path('data', 'swarmd')), 'looking makes nothing')
})

test('doctor prints its findings as one document, and a failure is exit code 1', async (t) => {
  const home = new CliHome(t)
  writeFileSync(home.path('file'), '')
  const { code, stdout } = await home.run([
    'doctor',
    'absent.gguf',
    '--offline',
    '--port',
    '0',
    '--data',
    'file',
    '--json',
  ])
  const report = JSON.parse(stdout) as { ok: boolean; checks: { name: string; state: string; advice: string | null }[] }
  assert.equal(code, 1)
  assert.equal(report.ok, false)
  const states = new Map(report.checks.map(({ name, state }) => [name, state]))
  assert.deepEqual(
    [...states.keys()],
    [
      'node',
      'sodium-native',
      'fs-native-extensions',
      'udx-native',
      'node-llama-cpp',
      'memory',
      'model',
      'threads',
      'disk (data)',
      'disk (models)',
      'data folder',
      'clock',
      'port',
      'swarm',
    ],
  )
  assert.deepEqual([states.get('model'), states.get('data folder')], ['fail', 'fail'])
  for (const { state, advice } of report.checks) assert.equal(advice === null, state === 'ok')
})
