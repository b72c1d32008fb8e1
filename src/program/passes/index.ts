export * from './accumulate-microbatches.js';
export * from './differentiate.js';
export * from './fuse.js';
export * from './lower.js';
export * from './reduce-gradients.js';
export type { Rematerialization } from './residuals.js';
export { REMATERIALIZATIONS } from './residuals.js';
export * from './update-parameters.js';
