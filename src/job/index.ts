export * from './document.js';
export * from './job.js';
export * from './lower.js';
export type { JobInput, ModelInput } from './schema.js';
