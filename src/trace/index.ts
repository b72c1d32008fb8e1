export * from './compare.js';
export * from './exposure.js';
export * from './measured.js';
export * from './perfetto.js';
export * from './trace.js';
