export * from './data/generate.js';
export * from './dataset.js';
export type { Evaluation } from './evaluate.js';
export * from './events.js';
export * from './feeds.js';
export * from './schedule.js';
export * from './train.js';
