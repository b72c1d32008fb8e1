export * from './bounds/index.js';
export * from './cost/index.js';
export * from './executor.js';
export * from './exposure.js';
export * from './machine/index.js';
export * from './network/index.js';
export type { ComputeCategory } from './plan.js';
export { COMPUTE_CATEGORIES } from './plan.js';
export * from './simulate.js';
