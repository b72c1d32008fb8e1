export * from './explain.js';
export * from './plan.js';
