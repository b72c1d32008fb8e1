export * from './mesh.js';
export * from './states.js';
