/** Softmax over the last dimension and the exact GELU, with their gradients. Vector FLOPs count exp and erf as 8. */
import type { OpRecord } from './record.js';
import { inferByRule, invalid, labels, requireDeal, vector } from './record.js';

/**
 * softmax over the last, unsharded dimension: [..., n]. Causal: row i of [..., m, n], where m is a multiple of n, has
 * zeros beyond column i mod n (several heads' rows may be stacked). Where tokens are dealt a rank has the rows of its own.
 */
export const softmax: OpRecord<'softmax'> = {
  infer: (operands, { causal, tokens }, mesh) => {
    const shape = operands[0]?.shape ?? [];
    const all = labels(shape.length);
    const each = (shape.at(-1) ?? 1) / (tokens?.parts ?? 1);
    if (causal === true && (shape.length < 2 || shape.at(-2)! % each !== 0)) {
      throw invalid('softmax', `a multiple of ${each} rows`, `[${shape.join(',')}]`);
    }
    if (tokens !== undefined) requireDeal('softmax', mesh, operands[0], tokens, shape.length - 2);
    // The result is named anew along the last dimension, so that sharding over it is refused.
    return inferByRule(
      'softmax',
      { operands: [all], results: [[...all.slice(0, -1), 'n']], resultSizes: [{ n: operands[0]?.shape.at(-1) ?? 0 }] },
      operands,
      mesh,
    );
  },
  work: vector(12),
  vjp: (context, op, [cotangent]) => [context.emit('softmax_backward', [op.results[0]!, cotangent!], {}, 'backward')],
};

/** (softmax y [..., n], dy [..., n]) → y · (dy − Σ y·dy). */
export const softmax_backward: OpRecord<'softmax_backward'> = {
  infer: (operands, _, mesh) => {
    const all = labels(operands[0]?.shape.length ?? 0);
    return inferByRule(
      'softmax_backward',
      {
        operands: [all, all],
        results: [[...all.slice(0, -1), 'n']],
        linear: [1],
        resultSizes: [{ n: operands[0]?.shape.at(-1) ?? 0 }],
      },
      operands,
      mesh,
    );
  },
  work: vector(4),
};

/** x · Φ(x), exact: Hendrycks and Gimpel 2016. */
export const gelu: OpRecord<'gelu'> = {
  infer: (operands, _, mesh) => {
    const all = labels(operands[0]?.shape.length ?? 0);
    return inferByRule('gelu', { operands: [all], results: [all] }, operands, mesh);
  },
  work: vector(12),
  vjp: (context, op, [cotangent]) => [context.emit('gelu_backward', [op.operands[0]!, cotangent!], {}, 'backward')],
};

/** (x, dy) → dy · (Φ(x) + x·φ(x)). */
export const gelu_backward: OpRecord<'gelu_backward'> = {
  infer: (operands, _, mesh) => {
    const all = labels(operands[0]?.shape.length ?? 0);
    return inferByRule('gelu_backward', { operands: [all, all], results: [all], linear: [1] }, operands, mesh);
  },
  work: vector(24),
};

/** x · σ(x): Elfwing et al. 2018. */
export const silu: OpRecord<'silu'> = {
  infer: (operands, _, mesh) => {
    const all = labels(operands[0]?.shape.length ?? 0);
    return inferByRule('silu', { operands: [all], results: [all] }, operands, mesh);
  },
  work: vector(11),
  vjp: (context, op, [cotangent]) => [context.emit('silu_backward', [op.operands[0]!, cotangent!], {}, 'backward')],
};

/** (x, dy) → dy · σ(x) · (1 + x · (1 − σ(x))). */
export const silu_backward: OpRecord<'silu_backward'> = {
  infer: (operands, _, mesh) => {
    const all = labels(operands[0]?.shape.length ?? 0);
    return inferByRule('silu_backward', { operands: [all, all], results: [all], linear: [1] }, operands, mesh);
  },
  work: vector(15),
};
