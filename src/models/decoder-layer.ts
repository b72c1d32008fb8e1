/**
 * One decoder layer, from stream [B,S,D] to stream; what is inside is [B,S,F/k] and [B,H/k,S,d]. Where tokens are dealt
 * over `sequence` attention gathers the keys and values of all (Grattafiori et al. 2024, §3.3.2).
 */
import type { ValueId } from '../program/index.js';
import type { DecoderConfig } from './decoder-config.js';
import { linear, linears } from './linear.js';
import type { ModelBuilder, NormOptions } from './model-builder.js';

export const normOf = ({ norm, biases }: DecoderConfig): NormOptions => ({
  centered: norm === 'layer',
  bias: norm === 'layer' && biases,
});

const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);

/** Widths of query, key and value; of the query alone where key and value are projected apart, whole on every chip. */
function attentionParts({ heads, keyValueHeads, headWidth }: DecoderConfig): number[] {
  const query = heads * headWidth;
  return keyValueHeads === 1 ? [query] : [query, keyValueHeads * headWidth, keyValueHeads * headWidth];
}

const mlpParts = ({ mlpWidth, gatedMlp }: DecoderConfig): number[] => (gatedMlp ? [mlpWidth, mlpWidth] : [mlpWidth]);

/** A projection of several parts with one matmul. */
interface Projection {
  readonly name: string;
  readonly sizes: readonly number[];
  readonly ownGradient?: boolean;
}

/** An MLP's gate and up projection together, or one after the other. */
function mlpProjections(m: ModelBuilder, config: DecoderConfig, joint: string): Projection[] {
  const sizes = mlpParts(config);
  const [gate, up] = sizes;
  if (up === undefined || m.form.gates === 'joint') return [{ name: joint, sizes }];
  const beside = joint.replace(/in$/, '');
  return [
    { name: `${beside}gate`, sizes: [gate!] },
    { name: `${beside}up`, sizes: [up], ownGradient: true },
  ];
}

/**
 * Projections of a normed stream, in their parts, one after the other; with multi-query attention key and value, which
 * are projected apart, come after the first part.
 */
function project(
  m: ModelBuilder,
  config: DecoderConfig,
  x: ValueId,
  projections: readonly Projection[],
  attends: boolean,
): ValueId[] {
  const { width, headWidth, keyValueHeads, biases: bias } = config;
  const hidden = projections.map(({ name, sizes, ownGradient = false }) => {
    const fused = sizes.length > 1 ? { segments: sizes } : {};
    return { name, to: 'hidden', input: width, output: total(sizes), bias, ownGradient, ...fused } as const;
  });
  const whole = { name: 'key-value', to: 'whole', input: width, output: 2 * headWidth, bias } as const;
  const projected = linears(m, x, attends && keyValueHeads === 1 ? [...hidden, whole] : hidden);
  const parts = projections.flatMap(({ name, sizes }, index) => {
    const local = sizes.map((size) => size / m.shards);
    const id = name === 'in' ? 'split' : `${name}/split`;
    return sizes.length > 1 ? m.ops('split', [projected[index]!], { sizes: local }, id) : [projected[index]!];
  });
  const keyValue = projected[projections.length];
  if (keyValue === undefined) return parts;
  const [query, ...rest] = parts;
  return [query!, ...m.ops('split', [keyValue], { sizes: [headWidth, headWidth] }, 'split-key-value'), ...rest];
}

/** Causal self-attention of projected query [B,S,H·d/k], key and value → [B,S,H·d/k]. */
function attend(m: ModelBuilder, config: DecoderConfig, [query, key, value]: readonly ValueId[]): ValueId {
  const { heads, keyValueHeads, headWidth, positions, ropeBase } = config;
  const split = (name: string, x: ValueId) => m.op('split_heads', [x], { headWidth }, `${name}-heads`);
  const deal = m.tokenDeal;
  const place = (name: string, x: ValueId) =>
    positions === 'rotary' ? m.op('rotary', [x], { base: ropeBase, inverse: false, ...deal }, `${name}-rotary`) : x;
  const ownKey = place('key', split('key', key!));
  const [k, v] = m.gatherTokens([ownKey, split('value', value!)], 2) as [ValueId, ValueId];
  const q = place('query', split('query', query!));
  const local = m.shape(q)[1]!;
  const shared = m.shards > 1 && keyValueHeads === 1 ? { shared: 'model' as const } : {};
  const grouped = keyValueHeads < heads;
  const rows = grouped ? m.op('group_heads', [q], { groups: m.shape(k)[1]!, ...shared }) : q;
  const scores = m.matmul(rows, k, { transposeB: true, scale: headWidth ** -0.5 }, 'scores');
  const mixed = m.matmul(m.op('softmax', [scores], { causal: true, ...deal }), v, {}, 'mix');
  const apart = grouped ? m.op('ungroup_heads', [mixed], { heads: local, ...shared }) : mixed;
  return m.op('merge_heads', [apart], {});
}

/** Projected [B,S,F/k], gated by a second projection where there is one. */
function activate(m: ModelBuilder, { activation }: DecoderConfig, [gate, up]: readonly ValueId[]): ValueId {
  const activated = m.op(activation, [gate!], {});
  return up === undefined ? activated : m.op('multiply', [activated, up], {}, 'gate');
}

/** y = x + MLP(norm(x)) + Attention(norm(x)), as in PaLM (Chowdhery et al. 2022, §2). */
function parallelLayer(m: ModelBuilder, config: DecoderConfig, x: ValueId): ValueId {
  const { width, mlpWidth, heads, headWidth, jointProjections: joint, biases: bias } = config;
  const normed = m.norm('norm', x, width, normOf(config));
  const sizes = { attention: attentionParts(config), mlp: mlpParts(config) };
  const projections = joint
    ? [{ name: 'in', sizes: [...sizes.attention, ...sizes.mlp] }]
    : [{ name: 'attention/in', sizes: sizes.attention }, ...mlpProjections(m, config, 'mlp/in')];
  const parts = project(m, config, normed, projections, true);
  const attended = m.in('attention', () => attend(m, config, parts.slice(0, 3)));
  const activated = m.in('mlp', () => activate(m, config, parts.slice(3)));
  const segments = [heads * headWidth, mlpWidth];
  const out = { to: 'stream', output: width, bias } as const;
  if (joint) {
    const joined = m.op('concat', [attended, activated], {});
    return m.op('add', [x, linear(m, 'out', joined, { ...out, input: total(segments), segments })], {}, 'residual');
  }
  // A projection of one part: its kernel lies on `model` by heads or by the MLP's width, whatever would be exchanged less.
  const apart = [attended, activated].map((y, index) => {
    const input = segments[index]!;
    return linear(m, index === 0 ? 'attention/out' : 'mlp/out', y, { ...out, input, segments: [input] });
  });
  return m.op('add', [x, m.op('add', apart, {}, 'sum')], {}, 'residual');
}

/** x ← x + Attention(norm(x)); x ← x + MLP(norm(x)). */
function serialLayer(m: ModelBuilder, config: DecoderConfig, x: ValueId): ValueId {
  const { width, mlpWidth, heads, headWidth, biases: bias } = config;
  const middle = m.in('attention', () => {
    const normed = m.norm('norm', x, width, normOf(config));
    const parts = project(m, config, normed, [{ name: 'in', sizes: attentionParts(config) }], true);
    const out = { to: 'stream', input: heads * headWidth, output: width, bias } as const;
    return m.op('add', [x, linear(m, 'out', attend(m, config, parts), out)], {}, 'residual');
  });
  return m.in('mlp', () => {
    const normed = m.norm('norm', middle, width, normOf(config));
    const parts = project(m, config, normed, mlpProjections(m, config, 'in'), false);
    const out = { to: 'stream', input: mlpWidth, output: width, bias } as const;
    return m.op('add', [middle, linear(m, 'out', activate(m, config, parts), out)], {}, 'residual');
  });
}

export const decoderLayer = (m: ModelBuilder, config: DecoderConfig, x: ValueId): ValueId =>
  config.parallelLayers ? parallelLayer(m, config, x) : serialLayer(m, config, x);
