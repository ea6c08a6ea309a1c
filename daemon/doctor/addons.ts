/**
 * Whether the native parts load, each in a process of its own: one that crashes (a processor without the instructions it was
 * built for) shows as a failure instead of ending the doctor.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { fail, ok } from './check.js'
import type { Finding } from './check.js'

export interface Addon {
  readonly name: string
  readonly purpose: string
  /** An ES module that ends with exit code 0 when the part works; what it prints is shown. */
  readonly script: string
}

export const ADDONS: readonly Addon[] = [
  {
    name: 'sodium-native',
    purpose: 'signing and sealing',
    script: `import sodium from 'sodium-native'; sodium.randombytes_buf(Buffer.alloc(32))`,
  },
  {
    name: 'fs-native-extensions',
    purpose: 'the lock of the data folder',
    script: `import 'fs-native-extensions'`,
  },
  {
    name: 'udx-native',
    purpose: 'connections between peers',
    script: `import HyperDHT from 'hyperdht'; if (typeof HyperDHT !== 'function') process.exit(1)`,
  },
  {
    name: 'node-llama-cpp',
    purpose: 'running models',
    // The library tests its binary in a process of its own, which would inherit --input-type and refuse to start.
    script: `import { getLlama } from 'node-llama-cpp'
      process.execArgv.length = 0
      const llama = await getLlama({ build: 'never', progressLogs: false, logLevel: 'error' })
      console.log(llama.gpu === false ? 'CPU' : llama.gpu)
      process.exit(0)`,
  },
]

const TIMEOUT_MS = 60_000
/** From dist/daemon/doctor/ to the folder that has node_modules. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

export async function checkAddon(addon: Addon): Promise<Finding> {
  const { error, stdout, stderr } = await runScript(addon.script)
  const name = addon.name
  if (error === null)
    return ok(name, `loads (${[addon.purpose, stdout.trim()].filter((part) => part !== '').join(', ')})`)
  const why = error.signal
    ? `ended by ${error.signal}`
    : error.killed
      ? `did not load within ${TIMEOUT_MS / 1000} s`
      : lastLine(stderr)
  return fail(
    name,
    `does not load (${addon.purpose}): ${why}`,
    `Install again on this machine (npm ci); if it stays, there is no binary of ${name} for ${process.platform} ${process.arch}.`,
  )
}

interface Outcome {
  readonly error: { readonly signal?: NodeJS.Signals | null; readonly killed?: boolean } | null
  readonly stdout: string
  readonly stderr: string
}

function runScript(script: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const args = ['--input-type=module', '--eval', script]
    execFile(
      process.execPath,
      args,
      { cwd: ROOT, timeout: TIMEOUT_MS, maxBuffer: 1_048_576 },
      (error, stdout, stderr) => {
        resolve({
          error: error === null ? null : { signal: error.signal ?? null, killed: error.killed ?? false },
          stdout,
          stderr,
        })
      },
    )
  })
}

function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => /error/i.test(line))
  return (lines[0] ?? 'unknown reason').trim().slice(0, 200)
}
