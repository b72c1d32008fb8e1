export * from './kernel.js';
export * from './matmul.js';
