/** `swarmd keys`: the seed behind all keys, shown, brought back, put under a passphrase. */
import type { Command } from 'commander'
import { DaemonError } from '../../daemon/errors.js'
import type { Identity } from '../../daemon/identity.js'
import { refuseUnknown } from '../command.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { storedPassphrase, unlocked } from '../passphrase.js'
import { askHidden, confirm } from '../prompt.js'
import { loadSettings } from '../running.js'

const MAX_WORDS_BYTES = 4096

export function define(command: Command): void {
  command
    .usage('[command]')
    .argument('[command]')
    .addHelpText(
      'after',
      `
Without a command it shows the public keys. One seed is behind all of them; its
24 words bring back everything: keys, what they own and, with a peer that has
the other side of it, the history. Neither words nor passphrase are ever taken from the command
line, where every user of the machine could read them.

Examples:
  swarmd keys                         the public keys
  swarmd keys show                    the 24 words, after a question
  swarmd keys restore --data ~/new    asks for the words
  swarmd keys restore < words.txt
  swarmd keys seal                    from now on each start needs the passphrase
  swarmd keys unseal`,
    )
  command
    .command('show')
    .description('Show the 24 words of the seed.')
    .option('-y, --yes', 'do not ask, and allow standard output to be no terminal')
  command.command('restore').description('Bring an identity back from its 24 words; never overwrites one.')
  command.command('seal').description('Put the seed under a passphrase (Argon2id).')
  command.command('unseal').description('Take the seed out from under its passphrase.')
}

export function run(call: CommandCall): Promise<number> {
  refuseUnknown(call, ['show', 'restore', 'seal', 'unseal'])
  switch (call.name) {
    case 'show':
      return show(call)
    case 'restore':
      return restore(call)
    case 'seal':
      return seal(call)
    case 'unseal':
      return unseal(call)
    default:
      return publicKeys(call)
  }
}

async function publicKeys(call: CommandCall): Promise<number> {
  const { io, json } = call
  const { dataDir, config } = await loadSettings(call)
  const identity = await existing(call, dataDir)
  const keys = { node: hex(identity.node()), wallet: hex(identity.wallet()), box: hex(identity.box()) }
  if (json) io.json(keys)
  else {
    io.out(`${io.paint('bold', 'Node  ')}  ${keys.node}  peers see it when this node serves\n`)
    if (config.chainUrl.length > 0) io.out(`${io.paint('bold', 'Wallet')}  ${keys.wallet}  owns the deposits\n`)
    io.out(`${io.paint('bold', 'Box   ')}  ${keys.box}  contents are sealed to it\n`)
  }
  return EXIT.ok
}

async function show(call: CommandCall): Promise<number> {
  const { io, json } = call
  const sure = call.options['yes'] === true
  if (!sure && (json || !io.stdout.isTTY || !io.stdin.isTTY)) {
    throw DaemonError.CONFIG_INVALID('The words are shown in a terminal only; --yes writes them anywhere.')
  }
  const { dataDir } = await loadSettings(call)
  const identity = await existing(call, dataDir)
  if (
    !sure &&
    !(await confirm(io, 'Whoever sees these words owns this node and all that it has. Is nobody looking?'))
  ) {
    throw DaemonError.CANCELLED()
  }
  const { wordsOf } = await import('../../daemon/seed-keeping.js')
  const words = wordsOf(identity)
  if (json) io.json({ words })
  else if (io.stdout.isTTY) io.out(numbered(words.split(' ')))
  else io.out(`${words}\n`)
  return EXIT.ok
}

async function restore(call: CommandCall): Promise<number> {
  const { io, json } = call
  const { dataDir } = await loadSettings(call)
  const { seedState } = await import('../../daemon/seed-file.js')
  if (seedState(dataDir) !== 'none') throw DaemonError.IDENTITY_EXISTS(dataDir)
  const words = io.stdin.isTTY ? await typed(call) : await piped(call)
  const node = await locked(call, dataDir, async () => {
    const { restoreIdentity } = await import('../../daemon/seed-keeping.js')
    return hex(restoreIdentity(dataDir, words).node())
  })
  if (json) io.json({ node, dataDir })
  else io.out(`The identity is back: node key ${node}\nIts history comes back from a copy: swarmd history restore\n`)
  return EXIT.ok
}

async function seal(call: CommandCall): Promise<number> {
  const { io, json } = call
  const loaded = await loadSettings(call)
  const passphrase = storedPassphrase(loaded, io.env) ?? (await askTwice(call))
  await locked(call, loaded.dataDir, async () => {
    const { sealIdentity } = await import('../../daemon/seed-keeping.js')
    sealIdentity(loaded.dataDir, passphrase)
  })
  if (json) io.json({ sealed: true, dataDir: loaded.dataDir })
  else
    io.out(
      'The seed is sealed. A node that starts without a terminal reads the passphrase from SWARMD_PASSPHRASE_FILE or a systemd credential.\n' +
        'Without the passphrase only the 24 words help: "swarmd keys show", now.\n',
    )
  return EXIT.ok
}

async function unseal(call: CommandCall): Promise<number> {
  const { io, json } = call
  const loaded = await loadSettings(call)
  const given = storedPassphrase(loaded, io.env)
  if (given === null && !io.stdin.isTTY) throw DaemonError.PASSPHRASE_NEEDED()
  const passphrase = given ?? Buffer.from(await askHidden(io, 'Passphrase of the seed: '))
  await locked(call, loaded.dataDir, async () => {
    const { unsealIdentity } = await import('../../daemon/seed-keeping.js')
    unsealIdentity(loaded.dataDir, passphrase)
  })
  if (json) io.json({ sealed: false, dataDir: loaded.dataDir })
  else io.out('The seed is under no passphrase any more.\n')
  return EXIT.ok
}

/** Never makes one: a person who looks for keys must not be shown new ones. */
async function existing(call: CommandCall, dataDir: string): Promise<Identity> {
  const { seedState } = await import('../../daemon/seed-file.js')
  if (seedState(dataDir) === 'none') throw DaemonError.IDENTITY_MISSING(dataDir)
  const { openIdentity } = await import('../../daemon/identity.js')
  return (await unlocked(call, dataDir)) ?? openIdentity(dataDir)
}

/** The seed's files change only while no node runs. Throws `DATA_LOCKED`. */
async function locked<T>(call: CommandCall, dataDir: string, work: () => Promise<T>): Promise<T> {
  const { acquireLock } = await import('../../daemon/lock.js')
  const lock = acquireLock(dataDir, { pid: process.pid, since: Date.now(), version: call.version, apiUrl: null })
  try {
    return await work()
  } finally {
    lock.release()
  }
}

async function askTwice({ io }: CommandCall): Promise<Uint8Array> {
  if (!io.stdin.isTTY)
    throw DaemonError.CONFIG_INVALID(
      'seal asks for a passphrase; without a terminal, name a file with SWARMD_PASSPHRASE_FILE.',
    )
  const first = await askHidden(io, 'A passphrase for the seed: ')
  if (first === '') throw DaemonError.CANCELLED()
  if ((await askHidden(io, 'The same once more: ')) !== first) {
    throw DaemonError.CONFIG_INVALID('These were two different passphrases: nothing was done.')
  }
  return Buffer.from(first)
}

async function typed({ io }: CommandCall): Promise<string> {
  const { askWords } = await import('../seed-words.js')
  return askWords(io)
}

async function piped({ io }: CommandCall): Promise<string> {
  const { wordsIn } = await import('../seed-words.js')
  let text = ''
  for await (const chunk of io.stdin) {
    text += String(chunk)
    if (text.length > MAX_WORDS_BYTES) throw DaemonError.CONFIG_INVALID('Standard input is longer than 24 words.')
  }
  return wordsIn(text).join(' ')
}

function numbered(words: readonly string[]): string {
  const cells = words.map((word, i) => `${String(i + 1).padStart(2)} ${word.padEnd(10)}`)
  const rows = Array.from({ length: 6 }, (_, row) =>
    [0, 6, 12, 18].map((column) => cells[row + column] ?? '').join('  '),
  )
  return `${rows.map((row) => row.trimEnd()).join('\n')}\n`
}

function hex({ publicKey }: { readonly publicKey: Uint8Array }): string {
  return Buffer.from(publicKey).toString('hex')
}
