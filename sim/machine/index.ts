export * from './machine.js';
export { formatSlice } from './torus-shape.js';
export type { Placement } from './torus-placement.js';
export type { Fabric, Lattice, Link, Machine, Stage, StageKind, Waits } from './types.js';
export type { ChipFault, Faults, LinkFault } from './faults.js';
export { shortLinkName, withFaults } from './faults.js';
export { sliceShapes } from './slices.js';
export type { LayoutChoices } from './torus-layouts.js';
export { torusLayouts } from './torus-layouts.js';
