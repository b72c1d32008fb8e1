export * from './data/generate.js';
export * from './data/write-text.js';
export * from './dataset.js';
export type { Evaluation, ImageEvaluation, TextEvaluation } from './evaluation.js';
export * from './events.js';
export * from './feeds.js';
export { openJobData } from './job-data.js';
export * from './schedule.js';
export * from './train.js';
