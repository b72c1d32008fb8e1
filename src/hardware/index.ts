export * from './names.js';
export * from './read.js';
export type { HardwareDocument, PlanDefault, StackDocument } from './schema.js';
export * from './scale.js';
export * from './types.js';
export * from './write.js';
