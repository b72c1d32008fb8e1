export * from './max-min.js';
export * from './network.js';
export * from './pattern.js';
