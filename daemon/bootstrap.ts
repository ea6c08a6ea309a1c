/** The bootstrap node of a private swarm, for `swarmd bootstrap`: commands see the swarm only through the daemon. */
export { startBootstrap } from '../swarm/bootstrap.js'
export type { Bootstrap } from '../swarm/bootstrap.js'
