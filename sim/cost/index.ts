export * from './kernel.js';
export * from './matmul.js';
export * from './traffic.js';
export * from './contention.js';
