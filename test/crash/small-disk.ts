/** A disk of a few megabytes that can be filled up and made read-only under a daemon. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

export interface SmallDisk {
  readonly path: string
  /** To the last byte. */
  fill(): void
  empty(): void
  /** Only while nobody has a file open for writing on it. */
  readOnly(yes: boolean): void
}

/** null where this process may not mount one; the test is skipped with that reason. */
export function smallDisk(t: TestContext, megabytes: number): SmallDisk | null {
  const path = mkdtempSync(join(tmpdir(), 'swarmd-disk-'))
  const mount = (...options: readonly string[]): void => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options.join(','), 'tmpfs', path], { stdio: 'ignore' })
  }
  try {
    mount(`size=${megabytes}m`, 'mode=0700')
  } catch {
    rmdirSync(path)
    t.skip('mounting a tmpfs is not allowed here')
    return null
  }
  t.after(() => {
    execFileSync('umount', ['-l', path], { stdio: 'ignore' })
    rmdirSync(path)
  })
  const filler = join(path, 'filler')
  return {
    path,
    fill() {
      const file = openSync(filler, 'a')
      for (const size of [1_048_576, 65_536, 4096, 1]) while (wrote(file, size));
      closeSync(file)
    },
    empty: () => rmSync(filler),
    readOnly: (yes) => mount('remount', yes ? 'ro' : 'rw'),
  }
}

function wrote(file: number, size: number): boolean {
  try {
    return writeSync(file, Buffer.alloc(size)) === size
  } catch {
    return false
  }
}
