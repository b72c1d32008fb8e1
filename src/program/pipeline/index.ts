export * from './balance.js';
export { cutForward, STREAM } from './cut.js';
export type { StagePart } from './cut.js';
export * from './forward.js';
export * from './lower.js';
export { PipelineParts, originOf } from './parts.js';
export { virtualStages } from './pipeline.js';
export type {
  Chunk,
  Pipeline,
  TrainingPipeline,
  PipelineShape,
  PipelineStage,
  SlotPrograms,
  StagePrograms,
  VirtualStage,
} from './pipeline.js';
