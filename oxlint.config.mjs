/**
 * The linter's rules. Who may import whom is written here once, as two tables; docs/architecture.md explains them and
 * test/house/lint.test.ts plants one violation per rule and sees it caught.
 */

/** Outside packages by owner: nobody but the owner's files imports them. Packages not listed here are free to all. */
const OWNED = {
  'swarm/': 'hyperswarm|hyperdht|protomux|@hyperswarm/[^/]+',
  'ledger/store/': 'hypercore|hyperbee|corestore|hypercore-storage',
  'ledger/chain/': '@solana/[^/]+|litesvm|bs58|ws',
  'daemon/engine/': 'node-llama-cpp|@node-llama-cpp/[^/]+|@huggingface/[^/]+',
  'daemon/': 'smol-toml|env-paths|fs-native-extensions|pino',
  'proxy/': 'fastify|@fastify/[^/]+|typebox|ajv|ajv-[^/]+',
  'tui/': 'ink|ink-[^/]+|@inkjs/[^/]+|react|react-[^/]+',
  'bin/': 'commander|cli-progress',
  'one signing or sealing file per folder': 'sodium-native',
  'test/ and bench/': 'fast-check|ai|@ai-sdk/[^/]+|@langchain/[^/]+|openai|openai6|autocannon',
}

/** The files that sign, seal or hash with sodium, one per folder. */
const SODIUM = {
  swarm: 'swarm/crypto.ts',
  daemon: 'daemon/crypto.ts',
  engine: 'daemon/engine/sampler/uniform.ts',
  ledger: 'ledger/crypto.ts',
}

const FOLDERS = ['bin', 'daemon', 'proxy', 'tui', 'swarm', 'ledger', 'test', 'bench']
const PURE_LEDGER = ['amount', 'price', 'voucher', 'transaction', 'channel', 'errors', 'fields']

/**
 * `from` may import only the folders in `to` besides itself.
 * @param {string} from
 * @param {string[]} to
 */
function only(from, ...to) {
  const denied = FOLDERS.filter((folder) => folder !== from && !to.includes(folder))
  const allowed = to.length === 0 ? 'nothing of ours' : `${to.join(', ')} only`
  return { regex: `^(\\.\\./)+(${denied.join('|')})/`, message: `${from} imports ${allowed} (docs/architecture.md).` }
}

/**
 * Inside `folder`, only the named modules.
 * @param {string} from
 * @param {string} folder
 * @param {string[]} modules
 */
function inside(from, folder, ...modules) {
  const exceptions = modules.map((module) => `!**/${folder}/${module}`)
  const message = `${from} imports ${modules.join(', ')} of ${folder} only (docs/architecture.md).`
  return { group: [`**/${folder}/**`, ...exceptions], message }
}

/**
 * One override per group of files: a later one replaces an earlier one for the same rule, so each is complete.
 * @param {string | string[]} files
 * @param {string[]} owners
 * @param {object[]} patterns
 * @param {Record<string, string>} rules
 */
function imports(files, owners, patterns, rules = {}) {
  const packages = Object.entries(OWNED)
    .filter(([owner]) => !owners.includes(owner))
    .map(([owner, names]) => ({ regex: `^(${names})(/|$)`, message: `Owned by ${owner} (docs/architecture.md).` }))
  return {
    files: [files].flat(),
    rules: { 'no-restricted-imports': ['error', { patterns: [...patterns, ...packages] }], ...rules },
  }
}

const SODIUM_OWNER = 'one signing or sealing file per folder'
const BIN = only('bin', 'daemon', 'tui')
const DAEMON = only('daemon', 'swarm', 'ledger', 'proxy')
const ENGINE = only('daemon/engine', 'daemon', 'proxy')
const PROXY = only('proxy')
const TUI = [only('tui', 'daemon'), inside('tui', 'daemon', 'control', 'control/**')]
const SWARM = [only('swarm', 'ledger'), inside('swarm', 'ledger', ...PURE_LEDGER.map((name) => `${name}.js`))]
const LEDGER = only('ledger')

export default {
  options: { typeAware: true, denyWarnings: true, respectEslintDisableDirectives: false },
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'node'],
  categories: { correctness: 'error' },
  env: { node: true, es2023: true },
  ignorePatterns: ['dist', 'coverage', 'node_modules', 'models'],
  rules: {
    eqeqeq: 'error',
    'no-var': 'error',
    'prefer-const': 'error',
    'no-console': 'error',
    'no-eval': 'error',
    'no-warning-comments': ['error', { terms: ['todo', 'fixme', 'xxx'], location: 'anywhere' }],
    'import/no-cycle': 'error',
    'unicorn/filename-case': ['error', { case: 'kebabCase' }],
    'unicorn/no-process-exit': 'error',
    'unicorn/prefer-node-protocol': 'error',
    'unicorn/no-new-array': 'off',
    'typescript/await-thenable': 'error',
    'typescript/ban-ts-comment': 'error',
    'typescript/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
    'typescript/no-explicit-any': 'error',
    // node:test's own functions return promises that the runner, not the file, awaits.
    'typescript/no-floating-promises': [
      'error',
      {
        allowForKnownSafeCalls: [
          { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite', 'before', 'after'] },
        ],
      },
    ],
    'typescript/no-misused-promises': 'error',
    'typescript/no-non-null-assertion': 'error',
    'typescript/no-unnecessary-type-assertion': 'error',
    'typescript/no-unsafe-argument': 'error',
    'typescript/no-unsafe-assignment': 'error',
    'typescript/no-unsafe-call': 'error',
    'typescript/no-unsafe-member-access': 'error',
    'typescript/no-unsafe-return': 'error',
    // An abort signal's reason is typed any, a caught error unknown: both are thrown on.
    'typescript/only-throw-error': ['error', { allowThrowingAny: true, allowThrowingUnknown: true }],
    'typescript/prefer-promise-reject-errors': 'error',
    'typescript/return-await': ['error', 'in-try-catch'],
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
  },
  overrides: [
    imports('bin/**/*.ts', ['bin/'], [BIN], { 'unicorn/no-process-exit': 'off', 'no-console': 'off' }),
    imports('daemon/**/*.ts', ['daemon/'], [DAEMON]),
    imports('daemon/engine/**/*.ts', ['daemon/', 'daemon/engine/'], [ENGINE]),
    imports('proxy/**/*.ts', ['proxy/'], [PROXY]),
    imports(['tui/**/*.ts', 'tui/**/*.tsx'], ['tui/'], TUI),
    imports('swarm/**/*.ts', ['swarm/'], SWARM),
    imports('ledger/**/*.ts', [], [LEDGER]),
    imports('ledger/store/**/*.ts', ['ledger/store/'], [LEDGER]),
    imports('ledger/chain/**/*.ts', ['ledger/chain/'], [LEDGER]),
    imports(SODIUM.swarm, ['swarm/', SODIUM_OWNER], SWARM),
    imports(SODIUM.daemon, ['daemon/', SODIUM_OWNER], [DAEMON]),
    imports(SODIUM.engine, ['daemon/', 'daemon/engine/', SODIUM_OWNER], [ENGINE]),
    imports(SODIUM.ledger, [SODIUM_OWNER], [LEDGER]),
    {
      files: ['test/**/*.ts', 'bench/**/*.ts'],
      rules: {
        'no-console': 'off',
        // Fakes break off where a real generator would go on; assertions print what they are given.
        'require-yield': 'off',
        'typescript/no-base-to-string': 'off',
        'typescript/unbound-method': 'off',
      },
    },
  ],
}
