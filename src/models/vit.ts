/**
 * Vision transformers as programs: the ViT-22B architecture (Dehghani et al. 2023, §2) with each of its choices an
 * option, so that ViT-G and ViT-e are the same builder with other settings.
 *
 * Sharding over `model` follows the paper's §3: every activation and every linear layer is split k ways. A linear
 * whose output is wider than its input gathers the input (row-sharded in the paper's words), the others sum partial
 * outputs into shards (column-sharded).
 */
import { MeshwrightError } from '../errors.js';
import type { AxisName, Mesh } from '../mesh/index.js';
import { axisSize } from '../mesh/index.js';
import type { Program, ValueId } from '../program/index.js';
import type { ForwardOptions } from './model-builder.js';
import { ModelBuilder } from './model-builder.js';
import type { VitConfig } from './vit-config.js';
import { classify, embed, poolAttention, poolMean } from './vit-ends.js';
import { encoderLayer } from './vit-layer.js';

const divisors = (value: number): number[] =>
  Array.from({ length: value }, (_, index) => index + 1).filter((candidate) => value % candidate === 0);

function requireDivides(what: string, amount: number, axis: AxisName, size: number): void {
  if (amount % size === 0) return;
  const all = divisors(amount);
  const near = all.length > 12 ? all.filter((value) => value <= 4 * size) : all;
  throw new MeshwrightError('PLAN_DOES_NOT_DIVIDE', {
    place: `plan.mesh.${axis}`,
    expected: `a size that divides ${amount} ${what}`,
    got: String(size),
    hint: `use ${near.slice(0, 16).join(', ')}`,
  });
}

/** @throws MeshwrightError PLAN_DOES_NOT_DIVIDE when heads, widths or the batch do not divide over the mesh */
export function checkVitPlan(config: VitConfig, mesh: Mesh, microbatch: number): void {
  const model = axisSize(mesh, 'model');
  requireDivides('heads', config.heads, 'model', model);
  requireDivides('width', config.width, 'model', model);
  requireDivides('MLP width', config.mlpWidth, 'model', model);
  requireDivides('images a microbatch', microbatch, 'data', axisSize(mesh, 'data'));
}

/** A forward program over one microbatch: images [B,H,W,C] and labels [B,classes] in, `loss` or `logits` out. */
export function vitForward(config: VitConfig, options: ForwardOptions): Program {
  checkVitPlan(config, options.mesh, options.batch);
  const m = new ModelBuilder(options);
  const { imageSize, channels } = config;
  const images = m.data('images', [options.batch, imageSize, imageSize, channels]);
  let x: ValueId = embed(m, config, images);
  x = m.layers('encoder', config.depth, x, (input) => encoderLayer(m, config, input));
  const pooled = config.pooling === 'attention' ? poolAttention(m, config, x) : poolMean(m, config, x);
  const logits = classify(m, config, pooled);
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
