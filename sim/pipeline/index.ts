export * from './simulate.js';
export type { PipelineTimes, ScheduleWish } from './times.js';
