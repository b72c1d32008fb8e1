export type { ChannelTraffic, Ring, TransportMemory, TransportOptions } from './memory.js';
export { createTransportMemory, stopAll, stoppedBy, traffic } from './memory.js';
export type { Exchange, Receiving, Sending, Transfer } from './transport.js';
export { RunStopped, Transport } from './transport.js';
