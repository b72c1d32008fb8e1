/** Models of every family behind one set of functions. */
import { unreachable } from '../errors.js';
import type { Mesh } from '../mesh/index.js';
import type { Program } from '../program/index.js';
import type { DecoderConfig } from './decoder-config.js';
import { checkDecoderPlan, decoderForward } from './decoder.js';
import type { ActivationLayout } from './layout.js';
import type { ForwardOptions } from './model-builder.js';
import type { VitConfig } from './vit-config.js';
import { checkVitPlan, vitForward } from './vit.js';

export type ModelConfig = VitConfig | DecoderConfig;
export { tokensPerExample } from './tokens.js';

/**
 * @param microbatch examples of one microbatch, over all ranks
 * @throws MeshwrightError PLAN_DOES_NOT_DIVIDE when a size of the model or the batch does not divide over the mesh
 */
export function checkModelPlan(
  config: ModelConfig,
  mesh: Mesh,
  microbatch: number,
  activations: ActivationLayout,
): void {
  switch (config.family) {
    case 'vit':
      return checkVitPlan(config, mesh, microbatch, activations);
    case 'decoder':
      return checkDecoderPlan(config, mesh, microbatch, activations);
    default:
      return unreachable(config);
  }
}

/**
 * A forward program over one microbatch, with an output `loss` or `logits`.
 *
 * @throws MeshwrightError as `checkModelPlan`
 */
export function forward(config: ModelConfig, options: ForwardOptions): Program {
  checkModelPlan(config, options.mesh, options.batch, options.activations);
  switch (config.family) {
    case 'vit':
      return vitForward(config, options);
    case 'decoder':
      return decoderForward(config, options);
    default:
      return unreachable(config);
  }
}

/** Terms that an example adds to the loss: one, or one a token. What the loss is divided by is a multiple of it. */
export const lossTermsPerExample = (config: ModelConfig): number => (config.family === 'vit' ? 1 : config.sequence);
