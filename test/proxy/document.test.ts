import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CHAT_BODY } from '../../proxy/schema/chat.js'
import { COMPLETION_BODY } from '../../proxy/schema/completion.js'
import { EMBEDDING_BODY } from '../../proxy/schema/embedding.js'
import { readText, repositoryFiles } from '../helpers/repository.js'

const DOCUMENT = readText('docs/api.md')

test('every field that a route takes is in docs/api.md', () => {
  const fields = [CHAT_BODY, COMPLETION_BODY, EMBEDDING_BODY].flatMap((schema) => Object.keys(schema.properties))
  assert.deepEqual(
    [...new Set(fields)].filter((field) => !DOCUMENT.includes(field)),
    [],
  )
})

test('every field that is refused and every error code is in docs/api.md', () => {
  const refused = [...readText('proxy/dialect/refusals.ts').matchAll(/field: '(\w+)'/g)].map((match) => match[1] ?? '')
  const sources = [readText('proxy/faults.ts'), readText('proxy/errors.ts')].join('\n')
  const codes = [...sources.matchAll(/(?:request|money|busy|away|broken|bad|FORBIDDEN|ProxyError)\('([a-z_]+)'/g)].map(
    (match) => match[1] ?? '',
  )
  assert.ok(refused.length > 10 && codes.length > 30, `${refused.length} fields, ${codes.length} codes`)
  assert.deepEqual(
    [...new Set([...refused, ...codes])].filter(
      (name) => !DOCUMENT.includes(`\`${name}\``) && !DOCUMENT.includes(`\`${name}:`),
    ),
    [],
  )
})

test('every header of ours is in docs/api.md', () => {
  const sources = repositoryFiles().filter((path) => path.startsWith('proxy/') && path.endsWith('.ts'))
  const headers = sources.flatMap((path) => readText(path).match(/x-swarmd-[a-z-]*[a-z]/g) ?? [])
  assert.deepEqual(
    [...new Set(headers)].filter((header) => !DOCUMENT.includes(header)),
    [],
  )
})
