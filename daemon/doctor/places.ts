/** The data folder and the API's port. */
import { accessSync, constants, statSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { codeOf } from '../errors.js'
import { isLocked, readHolder } from '../lock.js'
import { seedFileComplaint } from '../seed-file.js'
import { fail, ok, warn } from './check.js'
import type { Finding } from './check.js'

export function checkDataFolder(dataDir: string): Finding {
  const name = 'data folder'
  const stat = statOrNull(dataDir)
  if (stat === null) {
    const parent = existingParent(dataDir)
    if (!isWritable(parent))
      return fail(
        name,
        `${dataDir} cannot be made: ${parent} is not writable.`,
        'Choose another folder with --data DIR.',
      )
    return ok(name, `${dataDir} will be made at the first start`)
  }
  if (!stat.isDirectory()) return fail(name, `${dataDir} is not a folder.`, 'Choose another with --data DIR.')
  if (!isWritable(dataDir))
    return fail(
      name,
      `${dataDir} is not writable.`,
      'Change its owner or permissions, or choose another folder with --data DIR.',
    )
  const complaint = ['seed', 'seed.sealed']
    .map((file) => ({ path: join(dataDir, file), stat: statOrNull(join(dataDir, file)) }))
    .map(({ path, stat: seedStat }) => seedStat && seedFileComplaint(path, seedStat))
    .find((one) => one !== null)
  if (complaint !== undefined)
    return fail(name, complaint, 'The node refuses to use this seed until that is put right.')
  if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
    return warn(name, `${dataDir} can be opened by other users.`, `Close it with: chmod 700 ${dataDir}`)
  }
  if (!isLocked(dataDir)) return ok(name, dataDir)
  const holder = readHolder(dataDir)
  return ok(name, `${dataDir}, in use by the running swarmd${holder === null ? '' : ` (pid ${holder.pid})`}`)
}

/** `running`: the API address of the daemon that runs on the data folder, if one does. */
export async function checkPort(host: string, port: number, running: string | null): Promise<Finding> {
  const name = 'port'
  if (port === 0) return ok(name, 'any free port')
  if (running !== null && new URL(running).port === String(port))
    return ok(name, `${host}:${port}, the running swarmd listens there`)
  const code = await tryListen(host, port)
  if (code === null) return ok(name, `${host}:${port} is free`)
  if (code === 'EADDRINUSE') {
    return fail(
      name,
      `${host}:${port} is in use by another program.`,
      'Choose another with --port N (0 = any free port), or end that program.',
    )
  }
  if (code === 'EACCES')
    return fail(name, `${host}:${port} needs more rights.`, 'Choose a port above 1023 with --port N.')
  return fail(
    name,
    `${host}:${port} cannot be listened on (${code}).`,
    'Choose an address of this machine with --host ADDRESS.',
  )
}

function tryListen(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error) => resolve(codeOf(error) ?? 'unknown reason'))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)))
  })
}

function statOrNull(path: string): Stats | null {
  try {
    return statSync(path)
  } catch {
    return null
  }
}

function existingParent(path: string): string {
  let parent = dirname(path)
  while (statOrNull(parent) === null && dirname(parent) !== parent) parent = dirname(parent)
  return parent
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}
