export * from './compare.js';
export * from './exposure.js';
export * from './measured.js';
export * from './perfetto.js';
export * from './ranks.js';
export * from './stragglers.js';
export * from './timeline.js';
export * from './trace.js';
