/** The running daemon of a data folder, for the commands that ask it something. */
import { loadConfig } from '../daemon/config.js'
import type { LoadedConfig } from '../daemon/config.js'
import { connectControl } from '../daemon/control/client.js'
import type { ControlClient } from '../daemon/control/client.js'
import type { NodeSnapshot } from '../daemon/control/snapshot.js'
import type { CommandCall } from './command.js'

export function loadSettings(call: CommandCall): Promise<LoadedConfig> {
  const { flags, configPath, io } = call
  return loadConfig({ flags, configPath, env: io.env, cwd: io.cwd })
}

/** Throws `NOT_RUNNING` (exit code 3). The caller closes the client. */
export function connectRunning(call: CommandCall, loaded: LoadedConfig): Promise<ControlClient> {
  return connectControl({ dataDir: loaded.dataDir, runtimeDir: call.io.env['XDG_RUNTIME_DIR'] })
}

export async function runningSnapshot(call: CommandCall): Promise<NodeSnapshot> {
  const client = await connectRunning(call, await loadSettings(call))
  try {
    return await client.snapshot()
  } finally {
    client.close()
  }
}
