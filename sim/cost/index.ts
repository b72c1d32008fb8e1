export * from './kernel.js';
export * from './matmul.js';
export * from './contention.js';
export * from './traffic.js';
