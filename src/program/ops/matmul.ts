/** Matrix multiplication and its gradients. The weight's gradient is an op of its own, apart from the input's. */
import { sameStates } from '../../mesh/index.js';
import type { ValueId, ValueType } from '../types.js';
import type { MatmulWork, OpRecord } from './record.js';
import { matmulLabels } from './product-labels.js';
import { elements, inferByRule, invalid, labels } from './record.js';

function matmulWork(a: ValueType, b: ValueType, transposeA: boolean, transposeB: boolean): MatmulWork {
  const k = a.shape.at(transposeA ? -2 : -1)!;
  const n = b.shape.at(transposeB ? -2 : -1)!;
  const rows = elements(a) / k;
  const batch = b.shape.length === 2 ? 1 : elements(b) / (k * n);
  return { batch, m: rows / batch, n, k };
}

/**
 * scale · A B (+ bias): A [..., m, k], B [k, n] or [..., k, n], bias [n] → [..., m, n]; `transposeA` reads A as
 * [..., k, m], `transposeB` reads B as [..., n, k]. Contracting a sharded dimension leaves a partial result, to which
 * no bias may be added (it would be added once a rank). In place of a bias an addend of the result's own type
 * [..., m, n] may be given, to sum products up; such matmuls are made after differentiation and have no gradient.
 */
export const matmul: OpRecord<'matmul'> = {
  infer: (operands, { transposeA, transposeB }, mesh) => {
    const [a, b, bias] = operands;
    const names = matmulLabels(a?.shape.length ?? 0, b?.shape.length ?? 0, transposeA, transposeB);
    if (bias !== undefined && bias.shape.length > 1) {
      return addTo('matmul', matmul.infer(operands.slice(0, 2), { transposeA, transposeB, scale: 1 }, mesh), bias);
    }
    const rule = {
      operands: [names.a, names.b, ...(bias ? [['n']] : [])],
      results: [names.result],
      summed: ['k'],
      linear: [0, 1],
    };
    const types = inferByRule('matmul', rule, operands, mesh);
    if (bias !== undefined && Object.values(types[0]!.states).includes('partial')) {
      throw invalid('matmul', 'no bias on a partial result', 'a bias');
    }
    return types;
  },
  work: ([a, b, bias], [result], { transposeA, transposeB }) => ({
    matmul: matmulWork(a!, b!, transposeA, transposeB),
    vectorFlops: bias ? elements(result!) : 0,
  }),
  vjp: (context, op, [cotangent]) => {
    const dy = cotangent!;
    const [a, b, bias] = op.operands as [ValueId, ValueId, ValueId | undefined];
    const { transposeA, transposeB, scale } = op.attributes;
    const weight = context.type(b).shape.length === 2;
    if (bias !== undefined && context.type(bias).shape.length > 1) throw invalid(op.id, 'no addend', 'one');
    const product = (left: ValueId, right: ValueId, tA: boolean, tB: boolean, tag: string) =>
      context.emit('matmul', [left, right], { transposeA: tA, transposeB: tB, scale }, tag);
    const inputGradient = () =>
      transposeA
        ? product(b, dy, transposeB, true, 'backward-input')
        : product(dy, b, false, !transposeB, 'backward-input');
    const rightGradient = () => {
      if (!weight) {
        return transposeB
          ? product(dy, a, true, transposeA, 'backward-right')
          : product(a, dy, !transposeA, false, 'backward-right');
      }
      const gradient = context.emit('matmul_weight_gradient', transposeB ? [dy, a] : [a, dy], {}, 'backward-weight');
      return scale === 1 ? gradient : context.emit('scale', [gradient], { factor: scale }, 'backward-weight-scale');
    };
    const biasGradient = (operand: ValueId) => {
      const leading = context.type(dy).shape.length - context.type(operand).shape.length;
      return context.emit(
        'sum',
        [dy],
        { dimensions: Array.from({ length: leading }, (_, index) => index) },
        'backward-bias',
      );
    };
    return [
      context.wants(0) ? inputGradient() : undefined,
      context.wants(1) ? rightGradient() : undefined,
      bias !== undefined && context.wants(2) ? biasGradient(bias) : undefined,
    ];
  },
};

/** The type of a sum of products and an addend, which is that of either. */
function addTo(name: string, [type]: readonly ValueType[], addend: ValueType): ValueType[] {
  const same =
    type!.dtype === addend.dtype &&
    type!.shape.join() === addend.shape.join() &&
    sameStates(type!.states, addend.states);
  if (!same)
    throw invalid(name, `an addend of [${type!.shape.join(',')}] of the same states`, `[${addend.shape.join(',')}]`);
  return [addend];
}

/** xᵀ dy summed over all leading positions, plus an addend: x [..., k], dy [..., n], addend [k, n]? → [k, n]. */
export const matmul_weight_gradient: OpRecord<'matmul_weight_gradient'> = {
  infer: (operands, attributes, mesh) => {
    const addend = operands[2];
    if (addend !== undefined) {
      const product = matmul_weight_gradient.infer(operands.slice(0, 2), attributes, mesh);
      return addTo('matmul_weight_gradient', product, addend);
    }
    const rank = operands[0]?.shape.length ?? 0;
    const leading = labels(rank - 1);
    const rule = {
      operands: [
        [...leading, 'k'],
        [...leading, 'n'],
      ],
      results: [['k', 'n']],
      summed: leading,
      linear: [0, 1],
    };
    return inferByRule('matmul_weight_gradient', rule, operands, mesh);
  },
  work: ([x, dy, addend]) => {
    const m = x!.shape.at(-1)!;
    const vectorFlops = addend ? elements(addend) : 0;
    return { matmul: { batch: 1, m, n: dy!.shape.at(-1)!, k: elements(x!) / m }, vectorFlops };
  },
};
