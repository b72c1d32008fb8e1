export * from './report.js';
export * from './simulate.js';
export * from './trace.js';
export type { PipelineTimes, ScheduleWish } from './times.js';
