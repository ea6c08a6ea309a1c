/**
 * `swarmd demo` (and `npm start`): the whole thing on one machine. A private DHT, a provider in one process, a consumer with
 * the local API in another, one question through the real path.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { loadConfig } from '../../daemon/config.js'
import { connectControl } from '../../daemon/control/client.js'
import type { OwnChain } from '../../daemon/embedded-chain.js'
import { DaemonError } from '../../daemon/errors.js'
import type { ModelView } from '../../daemon/control/snapshot.js'
import { absolute } from '../../daemon/paths.js'
import { startLoopbackDht } from '../../daemon/private-dht.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { NodeProcess } from '../demo/node-process.js'
import { ask } from '../demo/question.js'
import type { Told } from '../demo/question.js'
import { EXIT } from '../exit-codes.js'
import { grouped } from '../money.js'
import { listenForEnd } from '../signals.js'

const DHT_NODES = 3
/** High, so that one answer is worth the fee of its settlement (10,000 lamports). */
const PRICE_IN = 1_000_000_000
const PRICE_OUT = 3_000_000_000
const DEPOSIT = '0.5 SOL'
/** Where the embedded chain does not run, both sides stand for what they owe. */
const CREDIT = '1 SOL'
const REGISTERED_MS = 10_000
const SEEDLING = fileURLToPath(new URL('../../../models/seedling/seedling.gguf', import.meta.url))

export function define(command: Command): void {
  command
    .option('--model <file>', 'a GGUF file instead of the embedded toy model')
    .option('--ask <question>', 'the question', 'What is swarmd?')
    .option('--once', 'end after the answer')
    .addHelpText(
      'after',
      `
Starts a private DHT and a Solana chain of its own on 127.0.0.1, a provider and
a consumer, each in a process of its own, asks one question, pays for it and
keeps running until Ctrl-C. Nothing leaves this machine; nothing stays behind.

Examples:
  swarmd demo
  swarmd demo --model ~/models/qwen3-8b-q4_k_m.gguf --ask "Why is the sky blue?"`,
    )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, version, flags, configPath } = call
  const { config } = await loadConfig({ flags, configPath, env: io.env, cwd: io.cwd })
  const given = optionText(call, 'model')
  const model = given === null ? SEEDLING : modelSource(given, io.cwd)
  const end = listenForEnd(io)
  const ended = new AbortController()
  void end.asked.then(() => ended.abort())
  const undo: (() => Promise<unknown>)[] = []
  try {
    io.out(`${io.paint('bold', `swarmd ${version} demo`)}  everything on this machine, in a private swarm\n\n`)
    const folder = await mkdtemp(join(tmpdir(), 'swarmd-demo-'))
    undo.push(() => rm(folder, { recursive: true, force: true }))
    const chain = await ownChain(version)
    const folders = { provider: join(folder, 'provider'), consumer: join(folder, 'consumer') }
    let asked = false
    if (chain) {
      undo.push(() => chain.close())
      const { balances, funded } = await import('../demo/purses.js')
      const [seller, buyer] = [await funded(chain, folders.provider), await funded(chain, folders.consumer)]
      undo.push(async () => {
        if (asked) io.out(`\n${balances(chain, buyer, seller)}`)
      })
      tell(call, 'Chain', `Solana's runtime at ${io.paint('cyan', chain.url)}, 1 SOL of play money for each side`)
    }
    const dht = await startLoopbackDht(DHT_NODES)
    undo.push(() => dht.close())
    const bootstrap = dht.bootstrap.flatMap(({ host, port }) => ['--bootstrap', `${host}:${port}`])
    tell(call, 'DHT', `${DHT_NODES} nodes on 127.0.0.1`)

    const common = [...bootstrap, '--network', 'demo', ...(chain ? ['--chain', chain.url] : ['--credit', CREDIT])]
    const prices = ['--price-in', String(PRICE_IN), '--price-out', String(PRICE_OUT)]
    // The demonstration has its own settings: those of the person's config file and environment do not reach the nodes.
    const settings = join(folder, 'config.toml')
    await writeFile(settings, '')
    const env = { ...withoutSettings(io.env), SWARMD_CONFIG: settings, SWARMD_CHAIN_DEPOSIT: DEPOSIT }
    const provider = new NodeProcess(
      'provider',
      ['serve', model, '--no-api', '--data', folders.provider, ...prices, ...common],
      env,
    )
    undo.push(() => provider.stop())
    const consumer = await startConsumer(config.port, folders.consumer, common, env, undo)
    const apiUrl = String((await consumer.event('listening'))['apiUrl'])
    await unlessEnded(provider.event('ready'), ended.signal)
    const card = await unlessEnded(firstModel(folders.consumer, io.env['XDG_RUNTIME_DIR']), ended.signal)
    tell(
      call,
      'Provider',
      `process ${provider.pid} serves ${io.paint('green', card.id)}${card.notice === null ? '' : ` (${card.notice})`}`,
    )
    tell(call, 'Consumer', `process ${consumer.pid}, API at ${io.paint('cyan', `${apiUrl}/v1`)}`)
    tell(
      call,
      'Price',
      `${PRICE_IN / 1e6} lamports for a token of the question, ${PRICE_OUT / 1e6} for one of the answer`,
    )
    if (chain) tell(call, 'Deposit', `${DEPOSIT} goes into a channel for this provider; what is not used comes back`)
    io.out('\n')

    if (chain) await registration(chain, ended.signal)
    const text = optionText(call, 'ask') ?? ''
    io.out(`${io.paint('bold', `> ${text}`)}\n`)
    const told = await ask({
      apiUrl,
      model: card.id,
      text,
      signal: ended.signal,
      onText: printer(call),
    })
    asked = true
    io.out(`\n\n${summary(told, chain)}\n\n`)
    if (call.options['once'] === true) return EXIT.ok

    io.out(`Point any OpenAI SDK or tool at it:\n  export OPENAI_BASE_URL=${apiUrl}/v1 OPENAI_API_KEY=any\n\n`)
    if (chain)
      io.out(
        `Look at the money from another terminal:\n  swarmd channels --data ${folders.consumer}\n  swarmd earnings --data ${folders.provider}\n\n`,
      )
    io.out(io.paint('dim', 'Runs until Ctrl-C, and then leaves nothing behind.\n'))
    await Promise.race([end.asked, provider.gone, consumer.gone])
    return EXIT.ok
  } catch (error) {
    if (ended.signal.aborted) return EXIT.ok
    throw error
  } finally {
    if (undo.length > 1) io.out(io.paint('dim', '\nStopping …\n'))
    for (const step of undo.toReversed()) await step()
    end.dispose()
  }
}

/** Thoughts dimmed, and a line of their own before the answer. */
function printer({ io }: CommandCall): (part: string, kind: 'answer' | 'thought') => void {
  let before: 'answer' | 'thought' = 'answer'
  return (part, kind) => {
    if (kind === 'answer' && before === 'thought') io.out('\n')
    before = kind
    io.out(kind === 'thought' ? io.paint('dim', part) : part)
  }
}

function tell(call: CommandCall, what: string, words: string): void {
  call.io.out(`  ${what.padEnd(9)} ${words}\n`)
}

/** On the asked port, or, when that is taken, on any free one: a demonstration should not fail over a port. */
async function startConsumer(
  port: number,
  dataDir: string,
  common: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  undo: (() => Promise<unknown>)[],
): Promise<NodeProcess> {
  const start = (at: number): NodeProcess => {
    const node = new NodeProcess('consumer', ['up', '--port', String(at), '--data', dataDir, ...common], env)
    undo.push(() => node.stop())
    return node
  }
  const first = start(port)
  try {
    await first.event('listening')
    return first
  } catch (error) {
    await first.gone
    if (port === 0) throw error
    return start(0)
  }
}

/** The model that the consumer found through the swarm. */
async function firstModel(dataDir: string, runtimeDir: string | undefined): Promise<ModelView> {
  const control = await connectControl({ dataDir, runtimeDir })
  try {
    return await new Promise((resolve, reject) => {
      const look = ({ models }: { readonly models: readonly ModelView[] }): void => {
        // What only the chain speaks of has no name yet.
        const met = models.find(({ providers }) => providers > 0)
        if (met) resolve(met)
      }
      control.subscribe(look).then(look, reject)
      void control.closed.then(() =>
        reject(DaemonError.NOT_RUNNING('The consumer ended before it found the provider.')),
      )
    })
  } finally {
    control.close()
  }
}

function summary(told: Told, chain: OwnChain | null): string {
  const rate =
    told.outputTokens > 1 && told.decodeMs > 0
      ? `, ${((told.outputTokens - 1) / (told.decodeMs / 1000)).toFixed(0)} tokens/s`
      : ''
  return [
    `Computed by ${told.provider.slice(0, 16)}…, sealed to it, over Noise: ${told.promptTokens} + ${told.outputTokens} tokens, first after ${told.ttftMs.toFixed(0)} ms${rate}.`,
    `It ${chain ? 'cost' : 'would cost'} ${told.costLamports} lamports, ${payment(chain)}`,
  ].join('\n')
}

function payment(chain: OwnChain | null): string {
  if (!chain) return 'owed on credit: the embedded chain does not run on this system.'
  return `paid with signed vouchers out of the deposit on the chain, which holds ${grouped(chain.books().deposit)} lamports.`
}

/** LiteSVM has no build for Windows. */
async function ownChain(version: string): Promise<OwnChain | null> {
  if (process.platform === 'win32') return null
  const { startOwnChain } = await import('../../daemon/embedded-chain.js')
  return startOwnChain({ folder: null, port: 0, version })
}

/** A provider can be paid once it is on the chain. If it does not get there, the answer says why. */
async function registration(chain: OwnChain, signal: AbortSignal): Promise<void> {
  const end = performance.now() + REGISTERED_MS
  while (!chain.books().registered && performance.now() < end) await sleep(20, null, { signal })
}

function modelSource(given: string, cwd: string): string {
  return /^(https?:|hf:)/.test(given) || given === 'mock' ? given : absolute(given, cwd)
}

function withoutSettings(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SWARMD_')))
}

async function unlessEnded<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return Promise.race([
    promise,
    new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(new Error('ended')), { once: true }),
    ),
  ])
}
