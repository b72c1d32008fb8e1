export * from './bounds.js';
export { demandsBound, demandsOf } from './network.js';
export type { Demand } from './network.js';
export * from './class-work.js';
export * from './folded-layers.js';
export * from './step-bound.js';
export * from './scheduled-bound.js';
