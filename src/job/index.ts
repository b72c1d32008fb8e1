export type { Precision, Refusal } from './check-options.js';
export { refused } from './check-options.js';
export * from './document.js';
export * from './job.js';
export * from './lower.js';
export { parseMesh } from './plan-forms.js';
export * from './plan-options.js';
export * from './plan.js';
export type { JobInput, ModelInput } from './schema.js';
