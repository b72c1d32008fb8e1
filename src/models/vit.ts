/**
 * Vision transformers as programs: the ViT-22B architecture (Dehghani et al. 2023, §2) with each of its choices an
 * option, so that ViT-G and ViT-e are the same builder with other settings.
 */
import { MeshwrightError } from '../errors.js';
import type { Mesh } from '../mesh/index.js';
import { axisSize } from '../mesh/index.js';
import type { Program, ValueId } from '../program/index.js';
import { requireBatchDivides, requireDivides } from './divide.js';
import type { ActivationLayout } from './layout.js';
import type { ForwardOptions } from './model-builder.js';
import { ModelBuilder } from './model-builder.js';
import type { VitConfig } from './vit-config.js';
import { tokenCount } from './vit-config.js';
import { classify, embed, poolAttention, poolMean } from './vit-ends.js';
import { encoderLayer } from './vit-layer.js';

/**
 * @throws MeshwrightError PLAN_DOES_NOT_DIVIDE when heads, widths, tokens or the batch do not divide over the mesh,
 *   PLAN_INVALID of an axis `sequence`
 */
export function checkVitPlan(config: VitConfig, mesh: Mesh, microbatch: number, activations: ActivationLayout): void {
  const model = axisSize(mesh, 'model');
  if (axisSize(mesh, 'sequence') > 1) {
    throw new MeshwrightError('PLAN_INVALID', {
      place: 'plan.mesh.sequence',
      expected: `1 with ${config.name}: each chip cuts whole images into patches`,
      got: String(axisSize(mesh, 'sequence')),
      hint: 'use the axis data or model; a decoder can have its tokens split over sequence',
    });
  }
  requireDivides('heads', config.heads, 'model', model);
  requireDivides('width', config.width, 'model', model);
  requireDivides('MLP width', config.mlpWidth, 'model', model);
  if (activations === 'sequence') requireDivides('tokens an image', tokenCount(config), 'model', model);
  requireBatchDivides('images a microbatch', microbatch, mesh);
}

/** A forward program over one microbatch: images [B,H,W,C] and labels [B,classes] in, `loss` or `logits` out. */
export function vitForward(config: VitConfig, options: ForwardOptions): Program {
  const m = new ModelBuilder(options);
  const { imageSize, channels } = config;
  const images = m.images([options.batch, imageSize, imageSize, channels]);
  let x: ValueId = embed(m, config, images);
  x = m.layers('encoder', config.depth, x, (input) => encoderLayer(m, config, input));
  const pooled = config.pooling === 'attention' ? poolAttention(m, config, x) : poolMean(m, config, x);
  const logits = m.widen(classify(m, config, pooled));
  if (options.output === 'logits') return m.finish([{ name: 'logits', value: logits }]);
  const labels = m.labels(logits);
  const loss = m.op(
    config.loss === 'sigmoid' ? 'sigmoid_cross_entropy' : 'softmax_cross_entropy',
    [logits, labels],
    {
      divisor: options.lossDivisor,
    },
    'loss',
  );
  return m.finish([{ name: 'loss', value: loss }]);
}
