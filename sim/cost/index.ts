export * from './kernel.js';
export * from './matmul.js';
export * from './traffic.js';
