export * from './channel-run.js';
export * from './max-min.js';
export * from './network.js';
export * from './pattern.js';
export * from './sharing.js';
export * from './time.js';
export * from './traffic.js';
export * from './types.js';
