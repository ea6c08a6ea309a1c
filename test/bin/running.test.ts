import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { CliHome } from '../helpers/cli.js'

const OFFLINE = ['up', '--offline', '--port', '0']

test('a node starts on a free port, says where, answers, and "stop" waits until it is gone', async (t) => {
  const home = new CliHome(t)
  const up = home.start(OFFLINE)
  const listening = await up.event('listening')
  assert.equal(listening['pid'], up.child.pid)
  await up.event('ready')
  const health = await fetch(`${String(listening['apiUrl'])}/health`)
  assert.equal(health.status, 200)
  const status = JSON.parse((await home.run(['status', '--json'])).stdout) as Record<string, unknown>
  assert.equal(status['pid'], up.child.pid)
  assert.deepEqual(status['models'], [])
  assert.equal((await home.run(['models', '--json'])).stdout, '[]\n')
  assert.equal((await home.run(['peers', '--json'])).stdout, '[]\n')
  assert.match((await home.run(['status'])).stdout, new RegExp(`pid ${up.child.pid}`))

  const stopped = await home.run(['stop', '--json'])
  assert.deepEqual(JSON.parse(stopped.stdout), { stopped: true, pid: up.child.pid })
  const outcome = await up.outcome
  assert.equal(outcome.code, 0)
  assert.equal((await home.run(['stop'])).code, 3)
})

test('a second node on the same data folder is refused with who runs there; on another it runs', async (t) => {
  const home = new CliHome(t)
  const first = home.start(OFFLINE)
  const { apiUrl } = await first.event('listening')
  const refused = await home.run([...OFFLINE, '--json'])
  assert.equal(refused.code, 4)
  const last = refused.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { error?: { code: string; message: string } })
    .find((line) => line.error)
  assert.equal(last?.error?.code, 'DATA_LOCKED')
  assert.match(last?.error?.message ?? '', new RegExp(`pid ${first.child.pid}.*${String(apiUrl)}`))

  const second = home.start([...OFFLINE, '--data', 'other'])
  const other = await second.event('listening')
  assert.notEqual(other['apiUrl'], apiUrl)
  const status = await home.run(['status', '--json', '--data', 'other'])
  assert.equal((JSON.parse(status.stdout) as { pid: number }).pid, second.child.pid)
})

test('two that stop it at the same time are both told that it has ended', async (t) => {
  const home = new CliHome(t)
  const up = home.start(OFFLINE)
  await up.event('ready')
  const outcomes = await Promise.all([home.run(['stop']), home.run(['stop']), home.run(['stop'])])
  // One that comes after the end finds no daemon.
  for (const { code, stderr } of outcomes) assert.ok(code === 0 || code === 3, stderr)
  assert.ok(outcomes.some(({ code }) => code === 0))
})

test('a caller that names the machine otherwise is refused, unless the name is allowed', async (t) => {
  const home = new CliHome(t)
  const up = home.start([...OFFLINE, '--allow-host', 'gateway.example'])
  const { apiUrl } = await up.event('listening')
  const { hostname, port } = new URL(String(apiUrl))
  const statusFor = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const asked = get({ hostname, port, path: '/health', headers: { host } }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
      asked.once('error', reject)
    })
  assert.equal(await statusFor(`gateway.example:${port}`), 200)
  assert.equal(await statusFor('elsewhere.example'), 403)
})

test('a seed that must not be used ends "serve" and "up" with exit code 1, before a model is loaded', async (t) => {
  const home = new CliHome(t)
  const config = '[[models]]\nsource = "not-there.gguf"\n'
  mkdirSync(home.path('config', 'swarmd'), { recursive: true })
  writeFileSync(home.path('config', 'swarmd', 'config.toml'), config)
  mkdirSync(home.path('data', 'swarmd'), { recursive: true, mode: 0o700 })
  writeFileSync(home.path('data', 'swarmd', 'seed'), 'not a seed', { mode: 0o600 })
  const network = ['--network', 'test', '--bootstrap', '127.0.0.1:9']
  for (const command of ['serve', 'up']) {
    const { code, stderr } = await home.run([command, '--port', '0', ...network])
    assert.match(stderr, /^swarmd: The seed .* is damaged/m)
    assert.ok(!stderr.includes('not-there.gguf'), stderr)
    assert.equal(code, 1)
  }
  assert.equal(readFileSync(home.path('data', 'swarmd', 'seed'), 'utf8'), 'not a seed')
})

test('a taken port is exit code 6 and says how to choose another', async (t) => {
  const home = new CliHome(t)
  const first = home.start(OFFLINE)
  const { apiUrl } = await first.event('listening')
  const { port } = new URL(String(apiUrl))
  const refused = await home.run(['up', '--offline', '--port', port, '--data', 'other'])
  assert.match(refused.stderr, new RegExp(`${port}.*--port`))
  assert.equal(refused.code, 6)
  assert.ok(!existsSync(join(home.folder, 'other', 'control.sock')), 'everything is undone')
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(
    `${signal} ends a node gracefully, with exit code 0`,
    { skip: process.platform === 'win32' && 'no signals' },
    async (t) => {
      const home = new CliHome(t)
      const up = home.start(OFFLINE)
      await up.event('ready')
      up.child.kill(signal)
      const { code, signal: died, stdout } = await up.outcome
      assert.deepEqual([code, died], [0, null])
      assert.match(stdout, /\{"event":"stopped"\}\n$/)
      assert.ok(!existsSync(home.path('data', 'swarmd', 'control.sock')))
    },
  )
}

test('a hang-up does not end a node', { skip: process.platform === 'win32' && 'no signals' }, async (t) => {
  const home = new CliHome(t)
  const up = home.start(OFFLINE)
  await up.event('listening')
  up.child.kill('SIGHUP')
  assert.equal((await home.run(['status'])).code, 0)
})

test('a node outlives the reader of its output', async (t) => {
  const home = new CliHome(t)
  const up = home.start(OFFLINE)
  await up.event('listening')
  up.child.stdout?.destroy()
  up.child.stderr?.destroy()
  assert.equal((await home.run(['stop'])).code, 0)
  await up.outcome
})

test('after a kill -9 the next node starts on the same folder', async (t) => {
  const home = new CliHome(t)
  const first = home.start(OFFLINE)
  await first.event('listening')
  first.child.kill('SIGKILL')
  await first.outcome
  assert.equal((await home.run(['status'])).code, 3)
  const second = home.start(OFFLINE)
  await second.event('listening')
  assert.equal((await home.run(['status'])).code, 0)
})

test('without a terminal, standard output has plain lines and standard error JSON lines', async (t) => {
  const home = new CliHome(t)
  const up = home.run([...OFFLINE, '--log-level', 'debug'])
  const status = async (): Promise<boolean> => (await home.run(['status'])).code === 0
  while (!(await status()));
  await home.run(['stop'])
  const { stdout, stderr, code } = await up
  assert.equal(code, 0)
  assert.match(stdout, /API +http:\/\/127\.0\.0\.1:\d+\/v1/)
  assert.ok(!stdout.includes('\u001b'))
  for (const line of stderr.split('\n').filter((text) => text !== '')) assert.equal(typeof JSON.parse(line), 'object')
})

test('a log file takes the log', async (t) => {
  const home = new CliHome(t)
  const up = home.start(['up', '--offline', '--port', '0'], { SWARMD_LOG_FILE: 'logs/swarmd.log', SWARMD_PROT: '1' })
  await up.event('ready')
  await home.run(['stop'])
  const { stderr } = await up.outcome
  assert.equal(stderr, '')
  assert.match(readFileSync(home.path('logs', 'swarmd.log'), 'utf8'), /SWARMD_PROT; did you mean SWARMD_PORT/)
})

test('a bootstrap node prints its address and ends when asked', async (t) => {
  const home = new CliHome(t)
  const node = home.start(['bootstrap', '--host', '127.0.0.1', '--port', '0'])
  assert.match(String((await node.event('listening'))['bootstrap']), /^127\.0\.0\.1:\d+$/)
  node.child.kill('SIGTERM')
  assert.equal((await node.outcome).code, 0)
})
