export type { ForwardOptions } from './model-builder.js';
export * from './presets.js';
export * from './vit-config.js';
export * from './vit.js';
