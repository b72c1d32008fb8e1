export type { Jitter } from './jitter.js';
export type { ChipSpan } from './recorder.js';
export type { UnfoldedRun, UnfoldOptions } from './run.js';
export { unfold } from './run.js';
export type { ChipSpreads, Spread, UnfoldedStep, UnfoldRequest } from './step.js';
export { unfoldStep } from './step.js';
