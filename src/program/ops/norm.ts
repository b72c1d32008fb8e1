/**
 * Normalization in two halves, so that a width sharded over chips needs one small all-reduce in between: `moments`
 * takes the means over the width, `normalize` applies them. Centered is layer normalization (Ba et al. 2016), with the
 * variance as E[x²] − E[x]²; not centered is RMS normalization (Zhang and Sennrich 2019).
 */
import type { ValueId } from '../types.js';
import type { OpRecord } from './record.js';
import { inferByRule, labels, vector } from './record.js';

/** Leading labels, the width `d` and the moments' own dimension `c` (mean square, or mean and mean square). */
function names(rank: number): { wide: readonly string[]; narrow: readonly string[]; leading: readonly string[] } {
  const leading = labels(rank - 1);
  return { wide: [...leading, 'd'], narrow: [...leading, 'c'], leading };
}

/** x [..., d] → [..., 1]: E[x²]; centered [..., 2]: E[x], E[x²]. Partial where the width is sharded. */
export const moments: OpRecord<'moments'> = {
  infer: (operands, { centered }, mesh) => {
    const { wide, narrow } = names(operands[0]?.shape.length ?? 0);
    const rule = { operands: [wide], results: [narrow], summed: ['d'], resultSizes: [{ c: centered ? 2 : 1 }] };
    return inferByRule('moments', rule, operands, mesh);
  },
  work: vector(2),
  vjp: (context, op, [cotangent]) => [
    context.emit('moments_backward', [op.operands[0]!, cotangent!], op.attributes, 'backward'),
  ],
};

/** (x [..., d], cotangent of the moments [..., c]) → [..., d]. */
export const moments_backward: OpRecord<'moments_backward'> = {
  infer: (operands, _, mesh) => {
    const { wide, narrow } = names(operands[0]?.shape.length ?? 0);
    return inferByRule('moments_backward', { operands: [wide, narrow], results: [wide], linear: [1] }, operands, mesh);
  },
  work: vector(2),
};

/** (x [..., d], moments [..., c], gain [d], bias [d]?) → (x − mean) / √(variance + ε) · gain + bias. */
export const normalize: OpRecord<'normalize'> = {
  infer: (operands, _, mesh) => {
    const { wide, narrow } = names(operands[0]?.shape.length ?? 0);
    const rule = { operands: [wide, narrow, ...operands.slice(2).map(() => ['d'])], results: [wide] };
    return inferByRule('normalize', rule, operands, mesh);
  },
  work: vector(4),
  vjp: (context, op, [cotangent]) => {
    const dy = cotangent!;
    const [x, m, gain] = op.operands as [ValueId, ValueId, ValueId];
    const leading = Array.from({ length: context.type(dy).shape.length - 1 }, (_, index) => index);
    const { attributes } = op;
    return [
      context.wants(0)
        ? context.emit('normalize_backward_input', [dy, m, gain], attributes, 'backward-input')
        : undefined,
      context.wants(1)
        ? context.emit('normalize_backward_moments', [dy, x, m, gain], attributes, 'backward-moments')
        : undefined,
      context.wants(2) ? context.emit('normalize_backward_gain', [dy, x, m], attributes, 'backward-gain') : undefined,
      ...(op.operands.length > 3
        ? [context.wants(3) ? context.emit('sum', [dy], { dimensions: leading }, 'backward-bias') : undefined]
        : []),
    ];
  },
};

/** (dy [..., d], moments, gain) → dy · gain / √(variance + ε): what x contributes directly, not through the moments. */
export const normalize_backward_input: OpRecord<'normalize_backward_input'> = {
  infer: (operands, _, mesh) => {
    const { wide, narrow } = names(operands[0]?.shape.length ?? 0);
    return inferByRule(
      'normalize_backward_input',
      { operands: [wide, narrow, ['d']], results: [wide], linear: [0] },
      operands,
      mesh,
    );
  },
  work: vector(3),
};

/** (dy, x, moments, gain) → the cotangent of the moments [..., c]; partial where the width is sharded. */
export const normalize_backward_moments: OpRecord<'normalize_backward_moments'> = {
  infer: (operands, { centered }, mesh) => {
    const { wide, narrow } = names(operands[0]?.shape.length ?? 0);
    const rule = {
      operands: [wide, wide, narrow, ['d']],
      results: [[...narrow.slice(0, -1), 'm']],
      summed: ['d'],
      linear: [0],
      resultSizes: [{ m: centered ? 2 : 1 }],
    };
    return inferByRule('normalize_backward_moments', rule, operands, mesh);
  },
  work: vector(4),
};

/** (dy, x, moments) → the gain's gradient [d]. */
export const normalize_backward_gain: OpRecord<'normalize_backward_gain'> = {
  infer: (operands, _, mesh) => {
    const { wide, narrow, leading } = names(operands[0]?.shape.length ?? 0);
    const rule = { operands: [wide, wide, narrow], results: [['d']], summed: leading, linear: [0] };
    return inferByRule('normalize_backward_gain', rule, operands, mesh);
  },
  work: vector(4),
};
