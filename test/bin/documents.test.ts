import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXIT } from '../../bin/exit-codes.js'
import { CONFIG_KEYS, KEYS } from '../../daemon/config-keys.js'
import { CliHome } from '../helpers/cli.js'
import { readText } from '../helpers/repository.js'

test('docs/config.md has every setting with its flag and its variable', () => {
  const rows = readText('docs/config.md').split('\n')
  for (const key of CONFIG_KEYS) {
    const { file, flag, env } = KEYS[key]
    const row = rows.find((line) => line.startsWith(`| \`${file}\` `)) ?? assert.fail(`no row for ${file}`)
    assert.ok(row.includes(`\`${env}\``), `${file}: ${env}`)
    assert.equal(row.includes('`--'), flag !== null, file)
    if (flag !== null) assert.ok(row.includes(`\`${flag.split(' ')[0]}\``), `${file}: ${flag}`)
  }
})

test('docs/cli.md and --help have every exit code and every command', async (t) => {
  const manual = readText('docs/cli.md')
  const { stdout: help } = await new CliHome(t).run(['--help'])
  for (const code of Object.values(EXIT)) {
    assert.match(manual, new RegExp(`^\\| ${code} +\\|`, 'm'))
    assert.match(help, new RegExp(`Exit codes:[\\s\\S]*\\b${code} `))
  }
  const commands = [...help.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map((match) => match[1] ?? '')
  assert.ok(commands.length >= 11)
  for (const command of commands) assert.ok(manual.includes(`\`swarmd ${command}`), command)
})
