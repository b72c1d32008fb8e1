/** What stands before and after the encoder: patch embedding, pooling, classifier. */
import { batchParts } from '../mesh/index.js';
import type { ValueId } from '../program/index.js';
import { linear } from './linear.js';
import type { ModelBuilder } from './model-builder.js';
import { batchStates } from './model-builder.js';
import type { VitConfig } from './vit-config.js';
import { normOf, tokenCount } from './vit-config.js';

/**
 * Images [B,H,W,C] → the stream [B,S,D]: patches, a linear projection, learned 1-D positions. Images are whole on each
 * chip, which makes its share of the width.
 */
export function embed(m: ModelBuilder, config: VitConfig, images: ValueId): ValueId {
  const { patch, channels, width } = config;
  const input = patch * patch * channels;
  return m.in('embed', () => {
    const patches = m.op('extract_patches', [images], { patch });
    const kernel = m.parameter('kernel', [input, width], {
      model: 1,
      initializer: { kind: 'normal', standardDeviation: input ** -0.5 },
      decayed: true,
    });
    const bias = m.parameter('bias', [width], { model: 0, initializer: { kind: 'zeros' } });
    const position = m.parameter('position', [tokenCount(config), width], {
      model: 1,
      initializer: { kind: 'normal', standardDeviation: 0.02 },
    });
    const projected = m.op('matmul', [patches, kernel, bias], { transposeA: false, transposeB: false, scale: 1 });
    return m.enterStream(m.op('add', [projected, position], {}, 'add-position'));
  });
}

/** The stream [B,S,D] → [B,D/k]: the final norm and the mean over tokens. */
export function poolMean(m: ModelBuilder, config: VitConfig, x: ValueId): ValueId {
  const normed = m.norm('norm', x, config.width, normOf(config));
  return m.in('pooling', () => {
    const sum = m.op('sum', [normed], { dimensions: [1] });
    return m.toWidth(m.op('scale', [sum], { factor: 1 / tokenCount(config) }, 'mean'));
  });
}

/**
 * The stream [B,S,D] → [B,D/k]: the final norm, then one learned query attends to all tokens, followed by an MLP with a
 * residual (multi-head attention pooling, Zhai et al. 2022). The single token that comes out is sharded over its width
 * whatever the stream's layout.
 */
export function poolAttention(m: ModelBuilder, config: VitConfig, x: ValueId): ValueId {
  const { width, mlpWidth, heads, omitBiases } = config;
  const { mesh, batch } = m.options;
  const headWidth = width / heads;
  const layout = 'width';
  const normed = m.norm('norm', x, width, normOf(config));
  return m.group('pooling', () =>
    m.in('pooling', () => {
      const probe = m.parameter('probe', [1, width], {
        initializer: { kind: 'normal', standardDeviation: width ** -0.5 },
      });
      const queryKernel = m.parameter('query/kernel', [width, width], {
        model: 1,
        initializer: { kind: 'normal', standardDeviation: width ** -0.5 },
        decayed: true,
      });
      const shared = m.matmul(probe, queryKernel, {}, 'query');
      const every = { dimensions: [0], sizes: [batch / batchParts(mesh)], states: batchStates(mesh) };
      const query = m.op('expand', [shared], every, 'every-image');
      const segments = [width, width];
      const keyValue = linear(m, 'key-value', normed, {
        to: 'hidden',
        input: width,
        output: 2 * width,
        segments,
        bias: !omitBiases,
      });
      const [key, value] = m.ops('split', [keyValue], { sizes: segments.map((size) => size / m.shards) }) as [
        ValueId,
        ValueId,
      ];
      const [q, k, v] = [query, key, value].map((part) => m.op('split_heads', [part], { headWidth })) as [
        ValueId,
        ValueId,
        ValueId,
      ];
      const weights = m.op('softmax', [m.matmul(q, k, { transposeB: true, scale: headWidth ** -0.5 }, 'scores')], {});
      const attended = m.op('merge_heads', [m.matmul(weights, v, {}, 'mix')], {});
      const out = linear(m, 'out', attended, {
        to: 'stream',
        input: width,
        output: width,
        bias: !omitBiases,
        layout,
      });
      const mlpNormed = m.norm('mlp/norm', out, width, normOf(config));
      const into = { to: 'hidden', input: width, output: mlpWidth, bias: true, layout } as const;
      const hidden = m.op('gelu', [linear(m, 'mlp/in', mlpNormed, into)], {}, 'mlp/gelu');
      const outOf = { to: 'stream', input: mlpWidth, output: width, bias: true, layout } as const;
      const mlp = linear(m, 'mlp/out', hidden, outOf);
      return m.op('sum', [m.op('add', [out, mlp], {}, 'residual')], { dimensions: [1] }, 'single-token');
    }),
  );
}

/**
 * [B,D/k] → logits [B,C]. The pending sum over `model` is dealt out by examples where they divide, so that no chip
 * computes the loss of another's rows; otherwise every chip of the axis has all of them.
 */
export function classify(m: ModelBuilder, config: VitConfig, pooled: ValueId): ValueId {
  const { width, classes } = config;
  return m.group('classifier', () =>
    m.in('classifier', () => {
      const kernel = m.parameter('kernel', [width, classes], {
        model: 0,
        initializer: { kind: 'normal', standardDeviation: width ** -0.5 },
        decayed: true,
      });
      const bias = m.parameter('bias', [classes], { initializer: { kind: 'zeros' } });
      const partial = m.matmul(pooled, kernel, {}, 'matmul');
      const rows = m.shape(pooled)[0]!;
      const logits = rows % m.shards === 0 ? m.scatter(partial, 0) : m.reduce(partial);
      return m.op('add', [logits, bias], {}, 'add-bias');
    }),
  );
}
