export type { Jitter } from './jitter.js';
export type { ChipSpan, UnfoldedRun, UnfoldOptions } from './run.js';
export { unfold } from './run.js';
