export * from './cost.js';
export * from './explain.js';
export * from './goodput.js';
export * from './goodput-run.js';
export * from './plan.js';
