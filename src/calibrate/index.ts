export * from './calibrate.js';
export * from './evidence.js';
export * from './measure.js';
export * from './profile.js';
