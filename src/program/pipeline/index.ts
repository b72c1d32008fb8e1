export * from './balance.js';
export { cutForward, STREAM } from './cut.js';
export type { StagePart } from './cut.js';
export * from './lower.js';
export type { StagePrograms } from './stage.js';
