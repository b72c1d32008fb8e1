export * from './calibrate.js';
export * from './measure.js';
export * from './profile.js';
