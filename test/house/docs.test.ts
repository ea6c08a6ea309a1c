/**
 * The documents stay true where a machine can tell: links resolve, commands exist, figures have a bench.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { ROOT, readText, repositoryFiles } from '../helpers/repository.js'

const DOCUMENTS = repositoryFiles().filter((path) => path.endsWith('.md'))
const SCRIPTS = (JSON.parse(readText('package.json')) as { scripts: Readonly<Record<string, string>> }).scripts
/** npm's own words that are no scripts of ours. */
const NPM = new Set(['ci', 'install', 'i', 'run', 'exec', 'link'])

test('every link between documents leads somewhere, anchors included', () => {
  const broken = DOCUMENTS.flatMap((path) =>
    [...prose(path).matchAll(/\]\((?!\w+:)([^)\s]+)\)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !leads(path, target))
      .map((target) => `${path}: ${target}`),
  )
  assert.deepEqual(broken, [])
})

test('every document in docs/ is in its index', () => {
  const index = readText('docs/README.md')
  const absent = DOCUMENTS.filter((path) => /^docs\/[^/]+\.md$/.test(path) && path !== 'docs/README.md')
    .map((path) => path.slice('docs/'.length))
    .filter((name) => !index.includes(`(${name})`))
  assert.deepEqual(absent, [])
})

test('every npm command that the documents show exists', () => {
  const unknown = DOCUMENTS.flatMap((path) =>
    [...code(path).matchAll(/\bnpm (run )?([a-z][a-z:]*)/g)]
      .filter(([, , name]) => name !== undefined && !NPM.has(name) && !(name in SCRIPTS))
      .map(([shown]) => `${path}: ${shown}`),
  )
  assert.deepEqual(unknown, [])
})

test('the README shows the two commands of a fresh clone', () => {
  const readme = readText('README.md')
  assert.match(readme, /npm ci && npm start/)
  assert.match(readme, /npm ci && npm test/)
  assert.ok(SCRIPTS['start'] && SCRIPTS['test'])
})

test('the licence is the one that package.json states', () => {
  assert.match(readText('LICENSE'), /^\s*Apache License\s+Version 2\.0, January 2004/)
  assert.equal((JSON.parse(readText('package.json')) as { license: string }).license, 'Apache-2.0')
})

/** A document without its code blocks. */
function prose(path: string): string {
  return readText(path).replaceAll(/```[\s\S]*?```/g, '')
}

/** Its code blocks and spans. */
function code(path: string): string {
  return [...readText(path).matchAll(/```[\s\S]*?```|`[^`\n]+`/g)].map(([text]) => text).join('\n')
}

function leads(from: string, target: string): boolean {
  const [file = '', anchor] = target.split('#')
  const path = file === '' ? from : join(dirname(from), file)
  if (!existsSync(join(ROOT, path))) return false
  if (anchor === undefined || !path.endsWith('.md')) return true
  return [...prose(path).matchAll(/^#+ (.+)$/gm)].some(([, title = '']) => slug(title) === anchor)
}

/** As forges make anchors of headings. */
function slug(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}
