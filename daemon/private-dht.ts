/** Own DHT nodes, for the commands that run a private swarm. */
export { startBootstrap, startLoopbackDht } from '../swarm/bootstrap.js'
