export { checkpointFolder, checkpointPath, isInRun, listCheckpoints, runFolderOf, writeCheckpoint } from './folder.js';
export type { CheckpointMetadata } from './metadata.js';
export { Checkpoint, modelSettings } from './restore.js';
export { saveState } from './save.js';
export type { StateTensor } from './state-tensors.js';
export { checkpointBytes, jobState, pipelineState, programState } from './state-tensors.js';
export { gather, spread } from './transfer.js';
