/**
 * `npm run program`: builds the program and compares it with what is committed; `-- --write` replaces that.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { artifacts, buildProgram, programSources } from './build.js'
import { compilerVersion } from './compile.js'
import { BuildError } from './errors.js'

const { values } = parseArgs({ options: { write: { type: 'boolean' } } })

try {
  const linked = await buildProgram(await programSources())
  const { image, textBytes, readOnlyBytes, systemCalls } = linked
  say(`${await compilerVersion()}: ${image.byteLength} bytes, ${textBytes} of code, ${readOnlyBytes} of data`)
  say(`system calls: ${systemCalls.join(' ')}`)
  for (const [path, content] of artifacts(linked)) {
    const isSame = Buffer.from(content).equals(await readFile(path).catch(() => Buffer.of()))
    if (values.write && !isSame) await writeFile(path, content)
    say(`${basename(path)}: ${isSame ? 'as committed' : values.write ? 'written' : 'DIFFERENT from what is committed'}`)
    if (!isSame && !values.write) process.exitCode = 1
  }
} catch (error) {
  if (!(error instanceof BuildError)) throw error
  say(`${error.code}: ${error.message}`)
  process.exitCode = 1
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
