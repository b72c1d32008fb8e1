export * from './attention.js';
export * from './attention-time.js';
export * from './contention.js';
export { viewsOf, widenedOf } from './functions.js';
export * from './kernel.js';
export * from './matmul.js';
export * from './pieces.js';
export * from './stack-memory.js';
export * from './traffic.js';
