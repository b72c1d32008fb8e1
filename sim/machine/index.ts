export * from './machine.js';
export { formatSlice } from './torus-placement.js';
export type { Fabric, Link, Machine, Stage, StageKind } from './types.js';
