/** `swarmd bootstrap`: a DHT node that a private swarm starts from. */
import { createSocket } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import type { Command } from 'commander'
import { hostPort, integer } from '../../daemon/config-kinds.js'
import { DaemonError } from '../../daemon/errors.js'
import { optionText } from '../command.js'
import type { CommandCall } from '../command.js'
import { EXIT } from '../exit-codes.js'
import { listenForEnd } from '../signals.js'

/** The port that Holepunch's own bootstrap nodes use. */
const DEFAULT_PORT = '49737'
const udpPort = integer(0, 65535, 'any free port, printed')

export function define(command: Command): void {
  command
    .option('--host <address>', 'IPv4 address by which the other nodes reach this machine (default: its first one)')
    .addHelpText(
      'after',
      `
The other nodes get the printed address with --bootstrap. A bootstrap node knows
who is there, not what they say to each other; it needs a UDP port that
everybody can reach (--port, default ${DEFAULT_PORT}) and an address that stays.

Examples:
  swarmd bootstrap                                   for the local network
  swarmd bootstrap --host 203.0.113.5 --port 49737   on a server
  swarmd bootstrap --host 127.0.0.1 --port 0         for several nodes on this machine
Next: swarmd up --network friends --bootstrap HOST:PORT.`,
    )
}

export async function run(call: CommandCall): Promise<number> {
  const { io, json, flags } = call
  const host = optionText(call, 'host') ?? firstAddress()
  const given = typeof flags.port === 'string' ? flags.port : io.env['SWARMD_PORT'] || DEFAULT_PORT
  const port = udpPort.parse(given)
  if (port === undefined)
    throw DaemonError.CONFIG_INVALID(`--port ${given} is not allowed; it must be ${udpPort.allowed}.`)
  if (hostPort.parse(`${host}:1`) === undefined || !/^\d{1,3}(\.\d{1,3}){3}$/.test(host) || host === '0.0.0.0') {
    throw DaemonError.CONFIG_INVALID(
      `--host ${host} is not allowed; it must be an IPv4 address of this machine that others reach, e.g. 203.0.113.5.`,
    )
  }
  const end = listenForEnd(io)
  try {
    const { startBootstrap } = await import('../../daemon/private-dht.js')
    const bootstrap = await startBootstrap({ host, port: port === 0 ? await freePort(host) : port })
    const address = `${bootstrap.address.host}:${bootstrap.address.port}`
    if (json) io.json({ event: 'listening', bootstrap: address, pid: process.pid })
    else
      io.out(
        `Bootstrap node at ${io.paint('cyan', address)}\n  Use it  swarmd up --network NAME --bootstrap ${address}\n  Ctrl-C stops it.\n`,
      )
    await end.asked
    await bootstrap.close()
    if (json) io.json({ event: 'stopped' })
    return EXIT.ok
  } finally {
    end.dispose()
  }
}

/** A bootstrap node has to be told its port, because its identity is made from it. */
function freePort(host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', (error) => {
      reject(
        DaemonError.CONFIG_INVALID(
          `--host ${host} is not allowed; it must be an address of this machine (${error.message}).`,
        ),
      )
    })
    socket.bind({ address: host, port: 0 }, () => {
      const { port } = socket.address()
      socket.close(() => resolve(port))
    })
  })
}

function firstAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return addresses.find((address) => address.family === 'IPv4' && !address.internal)?.address ?? '127.0.0.1'
}
