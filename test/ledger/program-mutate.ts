/**
 * `npm run program:mutate [-- file.c … | words of the change]`: takes out each check of the C sources in turn, moves each comparison by one, builds, and runs
 * the cases until one fails. Whatever survives is printed and makes the exit code 1.
 *
 * A check is `CHECK(condition, ERROR)` or `TRY(function that only checks)`: see program.h.
 */
import { programSources } from '../../ledger/program/build.js'
import { compile } from '../../ledger/program/compile.js'
import type { Sources } from '../../ledger/program/compile.js'
import { link } from '../../ledger/program/link.js'
import { runCases } from './program-run.js'

interface Mutant {
  readonly file: string
  readonly line: number
  readonly change: string
  readonly sources: Sources
}

/**
 * Survivors that change nothing that anyone could see, each with its reason. `file: change`, as printed.
 */
const FIRST =
  'the first instruction reads the head of the sysvar as if it were one; bytes that then look like the Ed25519 program ' +
  'would have to lie beyond the longest transaction'
const EQUIVALENT: Readonly<Record<string, string>> = {
  'voucher.c: without CHECK(running > 0, ED25519_MISSING);': FIRST,
  'voucher.c: >= for > in CHECK(running > 0, ED25519_MISSING);': FIRST,
}

const QUIET = '#pragma clang diagnostic ignored "-Weverything"\n'
const SOURCES = await programSources()
const OBJECTS = await compile(SOURCES)

const SITE = /^( *)(CHECK|TRY|ARGS)\((.*)\);$/gm
/** The arguments without a look at their length. */
const COPY = 'sol_memcpy_(&args, p->args, sizeof args);'
const OTHER: Readonly<Record<string, string>> = { '<=': '<', '>=': '>', '<': '<=', '>': '>=' }

function mutants(sources: Sources): Mutant[] {
  return [...sources].flatMap(([file, text]) => {
    if (!file.endsWith('.c')) return []
    return [...text.matchAll(SITE)].flatMap((match): Mutant[] => {
      const [whole, indent = '', macro, inner = ''] = match
      const line = text.slice(0, match.index).split('\n').length
      const replaced = (by: string): Sources =>
        new Map(sources).set(file, text.slice(0, match.index) + by + text.slice(match.index + whole.length))
      const without = {
        file,
        line,
        change: `without ${whole.trim()}`,
        sources: replaced(`${indent}${macro === 'ARGS' ? COPY : '(void)0;'}`),
      }
      const moved = [...inner.matchAll(/(?<= )(<=|>=|<|>)(?= )/g)].map((found): Mutant => {
        const from = match.index + whole.indexOf(inner) + found.index
        const operator = OTHER[found[0]] ?? ''
        const edited = text.slice(0, from) + operator + text.slice(from + found[0].length)
        const change = `${operator} for ${found[0]} in ${whole.trim()}`
        return { file, line, change, sources: new Map(sources).set(file, edited) }
      })
      return [without, ...moved]
    })
  })
}

/** The first case that notices, null for a survivor. */
async function killer({ file, sources }: Mutant): Promise<string | null> {
  // Only its own file is compiled again. A check that is gone may leave something unused, which is an error otherwise.
  const wanted = [...sources].filter(([name]) => name === file || name.endsWith('.h'))
  const [object] = await compile(
    new Map(wanted.map(([name, text]) => [name, name === file ? `${QUIET}${text}` : text])),
  )
  if (!object) throw new Error(`${file} does not compile`)
  const { image } = link(OBJECTS.map((one) => (one.name === file ? object : one)))
  try {
    for (const { title, wrong } of runCases(image)) if (wrong !== null) return title
  } catch (error) {
    return `the stage: ${error instanceof Error ? error.message : String(error)}`
  }
  return null
}

const wanted = process.argv.slice(2)
const all = mutants(SOURCES).filter(
  ({ file, change }) => wanted.length === 0 || wanted.some((word) => file === word || change.includes(word)),
)
const survivors: string[] = []
for (const mutant of all) {
  const by = await killer(mutant)
  const name = `${mutant.file}: ${mutant.change}`
  const reason = EQUIVALENT[name]
  if (by === null && reason === undefined) survivors.push(`${mutant.file}:${mutant.line}: ${mutant.change}`)
  const fate = by === null ? `SURVIVES${reason === undefined ? '' : `: ${reason}`}` : `killed by "${by}"`
  console.log(`${mutant.file}:${mutant.line}: ${mutant.change}\n    ${fate}`)
}
console.log(`\n${all.length} mutants, ${survivors.length} survive without a reason`)
for (const name of survivors) console.log(`  ${name}`)
process.exitCode = survivors.length === 0 ? 0 : 1
