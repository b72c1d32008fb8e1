export { pipelineBounds } from './bounds.js';
export * from './report.js';
export * from './simulate.js';
export { pipelineSpans } from './spans.js';
export * from './trace.js';
export { Transfers } from './transfers.js';
export type { Sent } from './transfers.js';
export type { PipelineTimes, ScheduleWish } from './times.js';
