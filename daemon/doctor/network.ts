/** Whether the DHT answers, and what it says about the way back to this node. */
import type { NatView } from '../../swarm/port.js'
import type { NodeOptions } from '../node-options.js'
import { fail, ok, warn } from './check.js'
import type { Finding } from './check.js'

const NAME = 'swarm'

/** Pure: what `nat` means to a person. `serves`: this node wants to be reached. */
export function judgeNat(
  nat: Pick<NatView, 'reachable' | 'nodes' | 'host' | 'kind'>,
  bootstrap: readonly string[] | null,
): Finding {
  if (!nat.reachable) {
    const who = bootstrap === null ? 'No public DHT node answers.' : `No DHT node answers at ${bootstrap.join(', ')}.`
    const advice =
      bootstrap === null
        ? 'Check that this machine is online and that UDP may leave it; for a private swarm name its bootstrap node with --bootstrap HOST:PORT.'
        : 'Check that "swarmd bootstrap" runs there, that the address is right, and that UDP gets through.'
    return fail(NAME, who, advice)
  }
  const seen = `${nat.nodes} DHT ${nat.nodes === 1 ? 'node' : 'nodes'} known${nat.host === null ? '' : `, seen as ${nat.host}`}`
  switch (nat.kind) {
    case 'open':
      return ok(NAME, `${seen}; open: peers can dial in`)
    case 'consistent':
      return ok(NAME, `${seen}; behind a NAT or firewall that hole punching gets through`)
    case 'random':
      return warn(
        NAME,
        `${seen}; behind a NAT that gives every connection another port, so many peers cannot be reached.`,
        'Asking mostly works; to serve, use a connection without carrier-grade NAT or a machine with a public address.',
      )
    case 'unknown':
      return ok(NAME, `${seen}; too early to say what NAT is in between`)
  }
}

/** Joins for a moment with a key of its own. */
export async function checkSwarm(options: NodeOptions, timeoutMs: number): Promise<Finding> {
  const { swarm: settings, version } = options
  if (settings === null) return ok(NAME, 'switched off (--offline)')
  const bootstrap = settings.bootstrap?.map(({ host, port }) => `${host}:${port}`) ?? null
  const [{ SwarmNode }, { clockWarning }, { freshNodeKeyPair, networkId }] = await Promise.all([
    import('../../swarm/node.js'),
    import('../../swarm/clock.js'),
    import('../identity.js'),
  ])
  const local = settings.bootstrap?.every(({ host }) => host === 'localhost' || host.startsWith('127.')) ?? false
  const swarm = new SwarmNode({
    keyPair: freshNodeKeyPair(),
    boxKeyPair: null,
    bootstrap: settings.bootstrap,
    host: settings.host ?? (local ? '127.0.0.1' : null),
    network: networkId(settings.network),
    invite: settings.invite,
    allow: settings.allow,
    software: `swarmd/${version}`,
    onAsk: null,
  })
  try {
    await Promise.race([swarm.ready(), elapsed(timeoutMs)])
    const clock = clockWarning(swarm.peers())
    if (clock !== null) return warn(NAME, clock, 'Set the clock, e.g. let NTP keep it (timedatectl set-ntp true).')
    return judgeNat(swarm.nat(), bootstrap)
  } finally {
    await swarm.close()
  }
}

function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
