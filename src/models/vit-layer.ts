/** One encoder layer, from stream [B,S,D] to stream; what is inside is [B,S,F/k] and [B,H/k,S,d]. */
import type { ValueId } from '../program/index.js';
import { linear } from './linear.js';
import type { ModelBuilder } from './model-builder.js';
import type { VitConfig } from './vit-config.js';
import { normOf } from './vit-config.js';

/** Self-attention from projected query, key, value [B,S,D/k] → [B,S,D/k], each chip its share of the heads. */
function attend(m: ModelBuilder, config: VitConfig, projected: readonly [ValueId, ValueId, ValueId]): ValueId {
  const headWidth = config.width / config.heads;
  const [query, key, value] = projected.map((x) => m.op('split_heads', [x], { headWidth })) as [
    ValueId,
    ValueId,
    ValueId,
  ];
  const normed = (name: string, x: ValueId) => (config.queryKeyNorm ? m.norm(name, x, headWidth, normOf(config)) : x);
  const scores = m.matmul(
    normed('query-norm', query),
    normed('key-norm', key),
    { transposeB: true, scale: headWidth ** -0.5 },
    'scores',
  );
  const weights = m.op('softmax', [scores], {});
  return m.op('merge_heads', [m.matmul(weights, value, {}, 'mix')], {});
}

const parts = (m: ModelBuilder, sizes: readonly number[]): { sizes: number[] } => ({
  sizes: sizes.map((size) => size / m.shards),
});

function addBias(
  m: ModelBuilder,
  name: string,
  x: ValueId,
  size: number,
  present: boolean,
  segments?: readonly number[],
): ValueId {
  if (!present) return x;
  const bias = m.parameter(name, [size], {
    model: 0,
    initializer: { kind: 'zeros' },
    ...(segments ? { segments } : {}),
  });
  return m.op('add', [x, bias], {}, `add-${name}`);
}

/** y = x + MLP(norm(x)) + Attention(norm(x)), the projections into and out of both fused (§2, "Parallel layers"). */
function parallelLayer(m: ModelBuilder, config: VitConfig, x: ValueId): ValueId {
  const { width, mlpWidth, omitBiases } = config;
  const normed = m.norm('norm', x, width, normOf(config));
  const segments = [width, width, width, mlpWidth];
  const projected = linear(m, 'in', normed, {
    to: 'hidden',
    input: width,
    output: 3 * width + mlpWidth,
    segments,
  });
  const [query, key, value, hidden] = m.ops('split', [projected], parts(m, segments)) as [
    ValueId,
    ValueId,
    ValueId,
    ValueId,
  ];
  const biased = (name: string, part: ValueId) => addBias(m, `${name}-bias`, part, width, !omitBiases);
  const attended = m.in('attention', () =>
    attend(m, config, [biased('query', query), biased('key', key), biased('value', value)]),
  );
  const activated = m.in('mlp', () => m.op('gelu', [addBias(m, 'hidden-bias', hidden, mlpWidth, true)], {}));
  const joined = m.op('concat', [attended, activated], {});
  const out = linear(m, 'out', joined, {
    to: 'stream',
    input: width + mlpWidth,
    output: width,
    segments: [width, mlpWidth],
    bias: true,
  });
  return m.op('add', [x, out], {}, 'residual');
}

/** x ← x + Attention(norm(x)); x ← x + MLP(norm(x)). */
function serialLayer(m: ModelBuilder, config: VitConfig, x: ValueId): ValueId {
  const { width, mlpWidth, omitBiases } = config;
  const middle = m.in('attention', () => {
    const normed = m.norm('norm', x, width, normOf(config));
    const segments = [width, width, width];
    const projected = linear(m, 'in', normed, {
      to: 'hidden',
      input: width,
      output: 3 * width,
      segments,
      bias: !omitBiases,
    });
    const split = m.ops('split', [projected], parts(m, segments)) as [ValueId, ValueId, ValueId];
    const out = linear(m, 'out', attend(m, config, split), {
      to: 'stream',
      input: width,
      output: width,
      bias: !omitBiases,
    });
    return m.op('add', [x, out], {}, 'residual');
  });
  return m.in('mlp', () => {
    const normed = m.norm('norm', middle, width, normOf(config));
    const hidden = linear(m, 'in', normed, { to: 'hidden', input: width, output: mlpWidth, bias: true });
    const out = linear(m, 'out', m.op('gelu', [hidden], {}), {
      to: 'stream',
      input: mlpWidth,
      output: width,
      bias: true,
    });
    return m.op('add', [middle, out], {}, 'residual');
  });
}

export const encoderLayer = (m: ModelBuilder, config: VitConfig, x: ValueId): ValueId =>
  config.parallelLayers ? parallelLayer(m, config, x) : serialLayer(m, config, x);
