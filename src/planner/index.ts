export * from './candidates.js';
export * from './equivalents/index.js';
export * from './cost.js';
export * from './explain.js';
export * from './goodput.js';
export * from './goodput-run.js';
export * from './plan.js';
export type * from './result.js';
export * from './space.js';
