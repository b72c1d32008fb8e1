export * from './attention.js';
export * from './contention.js';
export * from './kernel.js';
export * from './matmul.js';
export * from './pieces.js';
export * from './stack-memory.js';
export * from './traffic.js';
export * from './views.js';
