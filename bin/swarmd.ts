#!/usr/bin/env node
/** The only place where the process is ended. */
import { readFileSync } from 'node:fs'
import { processIo } from './io.js'
import { runProgram } from './program.js'

const io = processIo()
// A reader that went away (`swarmd models | head -1`) is no failure, and must not end a daemon.
for (const stream of [io.stdout, io.stderr]) stream.on('error', () => undefined)

const code = await runProgram(process.argv.slice(2), io, version())
await Promise.all([io.stdout, io.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))))
process.exit(code)

function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : '0.0.0'
}
