import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createLog } from '../../daemon/log.js'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'swarmd-log-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

test('lines come out in order, those before the first write included, at the level asked for', async () => {
  const lines: string[] = []
  const log = createLog({ level: 'info', file: null, human: false, write: (line) => lines.push(line) })
  log.debug({}, 'hidden')
  log.info({ n: 1 }, 'one')
  log.warn({ n: 2 }, 'two')
  await log.flush()
  log.error({ n: 3 }, 'three')
  const parsed = lines.map(
    (line) => JSON.parse(line) as { readonly msg: string; readonly n: number; readonly level: number },
  )
  assert.deepEqual(
    parsed.map(({ msg, n, level }) => [msg, n, level]),
    [
      ['one', 1, 30],
      ['two', 2, 40],
      ['three', 3, 50],
    ],
  )
})

test('secrets and content are not written, wherever in the fields they are', async () => {
  const lines: string[] = []
  const log = createLog({ level: 'debug', file: null, human: false, write: (line) => lines.push(line) })
  const secret = 'do-not-write-this'
  log.info(
    {
      apiKey: secret,
      request: { prompt: secret, options: { authorization: secret } },
      messages: [{ content: secret }],
      kept: 'yes',
    },
    'asked',
  )
  await log.flush()
  assert.ok(!lines.join('').includes(secret))
  assert.match(lines.join(''), /"kept":"yes"/)
})

test('on a terminal a line is time, level, message and fields', async () => {
  const lines: string[] = []
  const log = createLog({ level: 'info', file: null, human: true, write: (line) => lines.push(line) })
  log.warn({ peer: 'ab12', n: 3, err: new Error('broken pipe') }, 'lost')
  await log.flush()
  assert.match(lines.join(''), /^\d\d:\d\d:\d\d warn  lost peer=ab12 n=3 broken pipe\n$/)
})

test('a log file is made for its owner alone, and added to', async (t) => {
  const file = join(folder(t), 'logs', 'swarmd.log')
  for (const message of ['first', 'second']) {
    const log = createLog({ level: 'info', file, human: true, write: () => assert.fail('not to the terminal') })
    log.info({}, message)
    await log.flush()
  }
  if (process.platform !== 'win32') assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { readonly msg: string }).msg),
    ['first', 'second'],
  )
  assert.throws(() => createLog({ level: 'info', file: join(file, 'x'), human: false, write: () => undefined }), {
    code: 'CONFIG_INVALID',
  })
})

test('a silent log writes nothing', async () => {
  const log = createLog({ level: 'silent', file: null, human: false, write: () => assert.fail('wrote') })
  log.error({}, 'unheard')
  await log.flush()
})
