export type { DecoderConfig } from './decoder-config.js';
export type { ModelForm } from './form.js';
export { DEFAULT_FORM } from './form.js';
export type { ActivationLayout } from './layout.js';
export { ACTIVATION_LAYOUTS } from './layout.js';
export type { ForwardOptions } from './model-builder.js';
export * from './model.js';
export * from './presets.js';
export type { VitConfig } from './vit-config.js';
