export * from './candidates.js';
export * from './describe.js';
export * from './equivalents/index.js';
export * from './explain.js';
export * from './plan.js';
export type * from './result.js';
export * from './space.js';
export * from './pareto.js';
export * from './search.js';
