export * from './attention.js';
export * from './attention-time.js';
export * from './contention.js';
export { widenedOf } from './functions.js';
export * from './kernel.js';
export * from './matmul.js';
export * from './pieces.js';
export * from './traffic.js';
