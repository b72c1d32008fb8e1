export type { ChannelTraffic, Ring, TransportMemory, TransportOptions } from './memory.js';
export { createTransportMemory, DEFAULT_RING_BYTES, stopAll, stoppedBy, traffic } from './memory.js';
export type { Exchange, Receiving, Sending, Transfer } from './transport.js';
export { RunStopped, Transport } from './transport.js';
