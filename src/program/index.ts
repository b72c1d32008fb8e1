export * from './builder.js';
export * from './count.js';
export * from './liveness.js';
export * from './ops/index.js';
export * from './passes/index.js';
export * from './print.js';
export * from './types.js';
export * from './verify.js';
