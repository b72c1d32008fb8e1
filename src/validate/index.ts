export * from './document.js';
export * from './halves.js';
export * from './job-of-row.js';
export * from './row.js';
export * from './set-table.js';
export * from './summary.js';
export type { Mechanism } from './without.js';
export { MECHANISMS } from './without.js';
export { Unsupported } from './unsupported.js';
