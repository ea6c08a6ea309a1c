/** The Python clients, installed once into a cache folder of the repository by pip; absent where Python or pip is. */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, readText } from './repository.js'

const FIXTURES = join('test', 'fixtures')
const INSTALL_MS = 300_000

export interface PythonSdk {
  /** Starts one check of check.py. */
  start(command: object): ChildProcessWithoutNullStreams
  /** Runs one check to its end. Throws with the traceback when it fails. */
  run(command: object): Promise<unknown>
}

/** The clients of a folder of fixtures (requirements.txt, check.py), or the reason why they cannot be had here. */
export function pythonSdk(fixture = 'python-sdk'): PythonSdk | string {
  const requirements = join(FIXTURES, fixture, 'requirements.txt')
  const version = spawnSync('python3', ['-c', 'import sys; print(*sys.version_info[:2], sep=".")'], {
    encoding: 'utf8',
  })
  if (version.status !== 0) return 'there is no python3'
  if (spawnSync('python3', ['-m', 'pip', '--version']).status !== 0) return 'there is no pip for python3'
  const key = createHash('sha256').update(version.stdout).update(readText(requirements)).digest('hex').slice(0, 12)
  const folder = join(ROOT, '.cache', `${fixture}-${key}`)
  const failure = existsSync(folder) ? null : install(folder, requirements)
  if (failure !== null) return failure
  const start = (command: object): ChildProcessWithoutNullStreams =>
    spawn('python3', [join(ROOT, FIXTURES, fixture, 'check.py'), JSON.stringify(command)], {
      env: { ...process.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' },
    })
  return { start, run: (command) => finish(start(command)) }
}

/** Closes its input, reads its answer. */
export async function finish(child: ChildProcessWithoutNullStreams): Promise<unknown> {
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  child.stdin.end()
  await once(child, 'close')
  if (child.exitCode !== 0) throw new Error(err)
  return JSON.parse(out) as unknown
}

/** Into a folder of its own first: a cache that exists is whole. `--target` needs no virtual environment. */
function install(folder: string, requirements: string): string | null {
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  const work = mkdtempSync(`${folder}-`)
  try {
    const pip = ['-m', 'pip', 'install', '--quiet', '--no-input', '--target', work, '-r', join(ROOT, requirements)]
    const { status, stderr } = spawnSync('python3', pip, { encoding: 'utf8', timeout: INSTALL_MS })
    if (status !== 0) return `pip could not install the Python clients: ${stderr.trim().split('\n').at(-1) ?? ''}`
    if (!existsSync(folder)) renameSync(work, folder)
    return null
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
