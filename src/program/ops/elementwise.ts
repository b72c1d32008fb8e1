/** Elementwise ops. `add` and `multiply` broadcast their second operand over the leading dimensions of the first. */
import { axisSize, normalizeStates, stateOf } from '../../mesh/index.js';
import type { ValueId } from '../types.js';
import type { OpRecord, VjpContext } from './record.js';
import { elements, inferByRule, invalid, labels, trailing, vector } from './record.js';

/** Sums a cotangent of shape `from` over its leading dimensions, down to the rank of a broadcast operand. */
function sumLeading(context: VjpContext, cotangent: ValueId, rank: number, tag: string): ValueId {
  const leading = context.type(cotangent).shape.length - rank;
  if (leading === 0) return cotangent;
  return context.emit('sum', [cotangent], { dimensions: Array.from({ length: leading }, (_, index) => index) }, tag);
}

/** A tensor filled with one value: [shape]. A partial constant is a term of a sum on every rank. */
export const constant: OpRecord<'constant'> = {
  infer: (operands, { shape, dtype, states }, mesh) => {
    if (operands.length > 0) throw invalid('constant', 'no operands', String(operands.length));
    return [{ shape, dtype, states: normalizeStates(mesh, states) }];
  },
  work: () => ({ vectorFlops: 0 }),
  vjp: () => [],
};

/** Converts the element type. */
export const cast: OpRecord<'cast'> = {
  infer: (operands, { dtype }, mesh) => {
    const rank = operands[0]?.shape.length ?? 0;
    const rule = { operands: [labels(rank)], results: [labels(rank)], linear: [0] };
    return inferByRule('cast', rule, operands, mesh).map((type) => ({ ...type, dtype }));
  },
  work: vector(1),
  vjp: (context, op, [cotangent]) => {
    const { dtype } = context.type(op.operands[0]!);
    // A cotangent may be of a wider type than its value already.
    if (context.type(cotangent!).dtype === dtype) return [cotangent];
    return [context.emit('cast', [cotangent!], { dtype }, 'backward')];
  },
};

/** a + b: [..., n...] + [n...]. */
export const add: OpRecord<'add'> = {
  infer: (operands, _, mesh) => {
    const [a, b] = [operands[0]?.shape.length ?? 0, operands[1]?.shape.length ?? 0];
    return inferByRule(
      'add',
      { operands: [labels(a), trailing(a, b)], results: [labels(a)], linear: 'joint' },
      operands,
      mesh,
    );
  },
  work: vector(1),
  vjp: (context, op, [cotangent]) => [
    cotangent,
    context.wants(1)
      ? sumLeading(context, cotangent!, context.type(op.operands[1]!).shape.length, 'backward-bias')
      : undefined,
  ],
};

/**
 * x, replicated over an axis, as one linear reads it that is sharded over the axis. Its part of x's gradient is summed up
 * at once, by itself (Shoeybi et al. 2019, §3: f), and goes on as equal shares of the sum.
 */
export const copy_to_shards: OpRecord<'copy_to_shards'> = {
  infer: ([operand], { axis }, mesh) => {
    const got = operand === undefined ? 'no operand' : stateOf(operand.states, axis);
    if (got !== 'replicated' || axisSize(mesh, axis) === 1)
      throw invalid(`copy_to_shards, axis ${axis}`, 'replicated', String(got));
    return [operand!];
  },
  work: () => ({ vectorFlops: 0 }),
  vjp: (context, op, [cotangent]) => {
    const { axis } = op.attributes;
    const whole = context.emit('all_reduce', [cotangent!], { axis }, 'backward-sum');
    const { dtype } = context.type(whole);
    const share = { shape: [], value: 1 / axisSize(context.mesh, axis), dtype, states: { [axis]: 'partial' as const } };
    const term = context.emit('constant', [], share, 'backward-share');
    return [context.emit('multiply', [whole, term], {}, 'backward')];
  },
};

/** a · b, elementwise: [..., n...] · [n...]. */
export const multiply: OpRecord<'multiply'> = {
  infer: (operands, _, mesh) => {
    const [a, b] = [operands[0]?.shape.length ?? 0, operands[1]?.shape.length ?? 0];
    return inferByRule(
      'multiply',
      { operands: [labels(a), trailing(a, b)], results: [labels(a)], linear: [0, 1] },
      operands,
      mesh,
    );
  },
  work: vector(1),
  vjp: (context, op, [cotangent]) => {
    const [a, b] = op.operands as [ValueId, ValueId];
    return [
      context.wants(0) ? context.emit('multiply', [cotangent!, b], {}, 'backward-left') : undefined,
      context.wants(1)
        ? sumLeading(
            context,
            context.emit('multiply', [cotangent!, a], {}, 'backward-right'),
            context.type(b).shape.length,
            'backward-right-sum',
          )
        : undefined,
    ];
  },
};

/** a · factor. */
export const scale: OpRecord<'scale'> = {
  infer: (operands, _, mesh) => {
    const rank = operands[0]?.shape.length ?? 0;
    return inferByRule('scale', { operands: [labels(rank)], results: [labels(rank)], linear: [0] }, operands, mesh);
  },
  work: (operands) => ({ vectorFlops: elements(operands[0]!) }),
  vjp: (context, op, [cotangent]) => [context.emit('scale', [cotangent!], op.attributes, 'backward')],
};

/** 1 / a. */
export const reciprocal: OpRecord<'reciprocal'> = {
  infer: (operands, _, mesh) => {
    const rank = operands[0]?.shape.length ?? 0;
    return inferByRule('reciprocal', { operands: [labels(rank)], results: [labels(rank)] }, operands, mesh);
  },
  work: vector(1),
};

/** (condition [] of f32, a, b) → a where the condition is 0, else b. */
export const select: OpRecord<'select'> = {
  infer: ([condition, ...operands], _, mesh) => {
    if (condition?.shape.length !== 0 || Object.keys(condition.states).length > 0)
      throw invalid('select', 'a replicated scalar as condition', `[${condition?.shape.join(',')}]`);
    const all = labels(operands[0]?.shape.length ?? 0);
    return inferByRule('select', { operands: [all, all], results: [all] }, operands, mesh);
  },
  work: ([, a]) => ({ vectorFlops: elements(a!) }),
};
