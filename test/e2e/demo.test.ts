/** `npm start` as a stranger sees it, with the embedded model. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../bin/swarmd.js', import.meta.url))

async function demo(
  t: { after(fn: () => Promise<void>): void },
  args: readonly string[],
  until: RegExp | null,
): Promise<{ text: string; code: number | null; left: string[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'demo-test-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const child = spawn(process.execPath, [PROGRAM, 'demo', '--port', '0', ...args], {
    env: { ...process.env, TMPDIR: folder },
  })
  let text = ''
  let asked = false
  const hear = (chunk: Buffer): void => {
    text += chunk.toString('utf8')
    if (asked || !until?.test(text)) return
    asked = true
    child.kill('SIGINT')
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  await once(child, 'close')
  return { text, code: child.exitCode, left: await readdir(folder) }
}

test('the demonstration answers through the swarm, pays for it, settles to the lamport, and leaves nothing behind', async (t) => {
  const { text, code, left } = await demo(t, ['--once', '--ask', 'What is the capital of France?'], null)
  assert.equal(code, 0, text)
  assert.match(text, /Paris/)
  const cost = Number(/It cost ([\d.]+) lamports/.exec(text)?.[1])
  const line = (what: string): number =>
    Number(new RegExp(`${what} +([\\d ]+\\d)`).exec(text)?.[1]?.replaceAll(' ', '') ?? Number.NaN)
  assert.equal(line('Paid by the consumer'), Math.ceil(cost), text)
  assert.equal(line('received by the provider') + line("fee of swarmd's program"), line('Paid by the consumer'))
  assert.equal(line('left in its channel'), 500_000_000 - line('Paid by the consumer'))
  assert.match(text, /Price +1000 lamports for a token[\s\S]*Deposit +0\.5 SOL/)
  const fees = 'six signatures: one to open, two to register, one to offer, two to settle'
  assert.equal(line("The chain's own fees"), 30_000, fees)
  assert.match(text, /toy/)
  assert.deepEqual(left, [])
})

test('Ctrl-C ends the demonstration after it has told how to point an SDK at it', async (t) => {
  const { text, code, left } = await demo(t, ['--model', 'mock'], /OPENAI_BASE_URL=http:\/\/127\.0\.0\.1:\d+\/v1/)
  assert.equal(code, 0, text)
  assert.deepEqual(left, [])
})

test('a model that cannot be served is told in its own words', async (t) => {
  const { text, code, left } = await demo(t, ['--once', '--model', 'does-not-exist.gguf'], null)
  assert.equal(code, 1)
  assert.match(text, /does-not-exist\.gguf/)
  assert.deepEqual(left, [])
})
