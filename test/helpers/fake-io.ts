/** A terminal for tests: what is written is kept, what is typed is given. */
import { PassThrough } from 'node:stream'
import type { Io } from '../../bin/io.js'

export interface FakeIo extends Io {
  /** Everything written to standard output so far. */
  readonly written: () => string
  readonly typed: PassThrough
  /** Resolves once standard output contains `text` after position `from`; returns the position behind it. */
  readonly saw: (text: string, from?: number) => Promise<number>
}

export function fakeIo(options: { readonly tty?: boolean; readonly width?: number } = {}): FakeIo {
  let text = ''
  const looking = new Set<() => void>()
  const typed = new PassThrough()
  const screen = Object.assign(new PassThrough(), { isTTY: options.tty ?? false, columns: options.width ?? 80 })
  screen.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8')
    for (const look of looking) look()
  })
  return {
    env: {},
    cwd: '/',
    stdin: typed as unknown as NodeJS.ReadStream,
    stdout: screen as unknown as NodeJS.WriteStream,
    stderr: new PassThrough() as unknown as NodeJS.WriteStream,
    out: (part) => void screen.write(part),
    err: () => undefined,
    json: (value) => void screen.write(`${JSON.stringify(value)}\n`),
    paint: (style, part) => (style === 'dim' ? `<${part}>` : part),
    width: options.width ?? 0,
    exit: (code) => {
      throw new Error(`exit ${code}`)
    },
    written: () => text,
    typed,
    saw: (wanted, from = 0) =>
      new Promise((resolve) => {
        const look = (): void => {
          const at = text.indexOf(wanted, from)
          if (at < 0) return
          looking.delete(look)
          resolve(at + wanted.length)
        }
        looking.add(look)
        look()
      }),
  }
}
