/**
 * Decoder-only language models as programs. The vocabulary is sharded over `model` (Shoeybi et al. 2019, §3): each chip
 * embeds the tokens and scores the classes that it has, so that no chip ever holds all logits.
 */
import type { Mesh } from '../mesh/index.js';
import { axisSize } from '../mesh/index.js';
import type { Program, ValueId } from '../program/index.js';
import type { DecoderConfig } from './decoder-config.js';
import { decoderLayer, normOf } from './decoder-layer.js';
import { requireBatchDivides, requireDivides, requireTokensDealt } from './divide.js';
import type { ActivationLayout } from './layout.js';
import { streamDimension } from './layout.js';
import { linear } from './linear.js';
import type { ForwardOptions } from './model-builder.js';
import { ModelBuilder } from './model-builder.js';

/** @throws MeshwrightError PLAN_DOES_NOT_DIVIDE when heads, widths, tokens or the batch do not divide over the mesh */
export function checkDecoderPlan(
  config: DecoderConfig,
  mesh: Mesh,
  microbatch: number,
  activations: ActivationLayout,
): void {
  const model = axisSize(mesh, 'model');
  requireDivides('heads', config.heads, 'model', model);
  // A single key and value head is whole on every chip.
  if (config.keyValueHeads > 1) requireDivides('key-value heads', config.keyValueHeads, 'model', model);
  requireDivides('MLP width', config.mlpWidth, 'model', model);
  const padded = Math.ceil(config.vocabulary / model) * model;
  requireDivides('entries of the vocabulary', config.vocabulary, 'model', model, `pad it: vocabulary=${padded}`);
  if (activations === 'width') requireDivides('width', config.width, 'model', model);
  const sequence = axisSize(mesh, 'sequence');
  if (sequence > 1) requireTokensDealt(config.sequence, sequence);
  if (activations === 'sequence') requireDivides('tokens a sequence', config.sequence / sequence, 'model', model);
  requireBatchDivides('sequences a microbatch', microbatch, mesh);
}

/** The axis that a table's rows or the classes are sharded over, as the ops name it. */
const vocabularyAxis = (m: ModelBuilder): { readonly axis?: 'model' } => (m.shards > 1 ? { axis: 'model' } : {});

/** As GPT-2 (Radford et al. 2019) draws what is looked up. */
const lookedUp = { kind: 'normal', standardDeviation: 0.02 } as const;

/** Token ids [B,S] → the stream [B,S,D], learned positions added. */
function embed(m: ModelBuilder, config: DecoderConfig, tokens: ValueId, table: ValueId): ValueId {
  return m.in('embed', () => {
    const x = m.settle(m.op('embedding', [table, tokens], vocabularyAxis(m)));
    if (config.positions === 'rotary') return x;
    const dimension = streamDimension(m.options.activations);
    const position = m.parameter('position', [config.sequence, config.width], {
      tokens: 0,
      ...(dimension === undefined ? {} : { model: dimension - 1 }),
      initializer: lookedUp,
    });
    return m.op('add', [x, position], {}, 'add-position');
  });
}

/** The stream [B,S,D] → logits [B,S,V/k]. */
function score(m: ModelBuilder, config: DecoderConfig, x: ValueId, table: ValueId): ValueId {
  const { width, vocabulary, tiedHead } = config;
  const normed = m.norm('norm', x, width, normOf(config));
  if (tiedHead) return m.in('head', () => m.matmul(m.gather(normed), table, { transposeB: true }, 'matmul'));
  return m.group('classifier', () => linear(m, 'head', normed, { to: 'hidden', input: width, output: vocabulary }));
}

/** Σ over tokens of the cross-entropy of logits [B,S,V/k], divided; partial over all axes that they are sharded over. */
function crossEntropy(m: ModelBuilder, logits: ValueId, targets: ValueId): ValueId {
  return m.in('loss', () => {
    const local = m.op('log_sum_exp', [logits], {}, 'log_sum_exp/local');
    const whole = m.shards === 1 || m.form.logits === 'gathered';
    const all = whole ? local : m.op('log_sum_exp', [m.gather(local)], {}, 'log_sum_exp/all');
    const attributes = { divisor: m.options.lossDivisor, ...(whole ? {} : vocabularyAxis(m)) };
    return m.op('token_cross_entropy', [logits, targets, all], attributes);
  });
}

/**
 * A forward program over one microbatch: `tokens` and `targets` [B,S] of i32 in, `loss` or `logits` [B,S,V/k] out.
 */
export function decoderForward(config: DecoderConfig, options: ForwardOptions): Program {
  const m = new ModelBuilder(options);
  const { vocabulary, width, sequence } = config;
  const tokens = m.tokenIds('tokens', options.batch, sequence);
  const table = m.in('embed', () => m.parameter('table', [vocabulary, width], { model: 0, initializer: lookedUp }));
  let x = embed(m, config, tokens, table);
  x = m.layers('decoder', config.depth, x, (input) => decoderLayer(m, config, input));
  const scored = score(m, config, x, table);
  const logits = m.widen(m.form.logits === 'gathered' ? m.in('head', () => m.gather(scored)) : scored);
  if (options.output === 'logits') return m.finish([{ name: 'logits', value: logits }]);
  const targets = m.tokenIds('targets', options.batch, sequence);
  return m.finish([{ name: 'loss', value: crossEntropy(m, logits, targets) }]);
}
