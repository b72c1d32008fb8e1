export * from './clock.js';
export * from './fluid.js';
export * from './queue.js';
