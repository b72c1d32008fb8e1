export * from './calibrate.js';
export * from './evidence.js';
export * from './machine.js';
export * from './measure.js';
export * from './blocks.js';
export * from './probes.js';
export * from './profile.js';
export * from './store.js';
