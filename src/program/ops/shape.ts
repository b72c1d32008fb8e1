/** Ops that move or sum elements without arithmetic on them. Sizes in attributes are local. */
import { normalizeStates, stateOf } from '../../mesh/index.js';
import type { ValueType } from '../types.js';
import type { OpRecord } from './record.js';
import { elements, inferByRule, invalid, labels } from './record.js';

const moves = () => ({ vectorFlops: 0 });

/** Sums dimensions away: [..., n, ...] → [..., ...]. */
export const sum: OpRecord<'sum'> = {
  infer: (operands, { dimensions }, mesh) => {
    const all = labels(operands[0]?.shape.length ?? 0);
    const summed = dimensions.map((dimension) => all[dimension]!);
    const rule = { operands: [all], results: [all.filter((label) => !summed.includes(label))], summed, linear: [0] };
    return inferByRule('sum', rule, operands, mesh);
  },
  work: (operands) => ({ vectorFlops: elements(operands[0]!) }),
  vjp: (context, op, [cotangent]) => {
    const { shape, states } = context.type(op.operands[0]!);
    const { dimensions } = op.attributes;
    const sizes = dimensions.map((dimension) => shape[dimension]!);
    const over = Object.fromEntries(
      context.mesh.axes.flatMap(({ name }) => {
        const state = stateOf(states, name);
        return typeof state === 'number' && dimensions.includes(state) ? [[name, state]] : [];
      }),
    );
    return [context.emit('expand', [cotangent!], { dimensions, sizes, states: over }, 'backward')];
  },
};

/** Repeats along new dimensions: [..., ...] → [..., n, ...]; the transpose of `sum`. */
export const expand: OpRecord<'expand'> = {
  infer: (operands, { dimensions, sizes, states }, mesh) => {
    const [operand] = operands;
    if (operands.length !== 1 || operand === undefined) throw invalid('expand', '1 operand', String(operands.length));
    if (operand.stack !== undefined) throw invalid('expand', 'a single tensor', 'a stack');
    const shape: number[] = [];
    const origin: number[] = [];
    let next = 0;
    for (let dimension = 0; dimension < operand.shape.length + dimensions.length; dimension++) {
      const added = dimensions.indexOf(dimension);
      if (added < 0) origin[next] = dimension;
      shape.push(added < 0 ? operand.shape[next++]! : sizes[added]!);
    }
    const result: Record<string, number | 'partial' | 'replicated'> = {};
    for (const { name } of mesh.axes) {
      const before = stateOf(operand.states, name);
      const over = stateOf(states, name);
      if (over === 'replicated') result[name] = typeof before === 'number' ? origin[before]! : before;
      else if (before !== 'replicated' || !dimensions.includes(over as number)) {
        throw invalid(
          `expand, axis ${name}`,
          'a replicated operand, expanded over a new dimension',
          `${before} to ${over}`,
        );
      } else result[name] = over;
    }
    return [{ shape, dtype: operand.dtype, states: normalizeStates(mesh, result) }];
  },
  work: moves,
  vjp: (context, op, [cotangent]) => [
    context.emit('sum', [cotangent!], { dimensions: op.attributes.dimensions }, 'backward'),
  ],
};

/** Parts of the last dimension: [..., n] → [..., n1], [..., n2], … */
export const split: OpRecord<'split'> = {
  infer: (operands, { sizes }, mesh) => {
    const all = labels(operands[0]?.shape.length ?? 0);
    const last = all.at(-1) ?? '';
    const whole = sizes.reduce((total, size) => total + size, 0);
    if (operands[0]?.shape.at(-1) !== whole)
      throw invalid('split', `a last dimension of ${whole}`, String(operands[0]?.shape.at(-1)));
    const rule = {
      operands: [all],
      results: sizes.map(() => all),
      linear: [0],
      resultSizes: sizes.map((size) => ({ [last]: size })),
    };
    return inferByRule('split', rule, operands, mesh);
  },
  work: moves,
  vjp: (context, op, cotangents) => {
    const parts = cotangents.map((cotangent, index) => {
      if (cotangent !== undefined) return cotangent;
      throw invalid(op.id, 'a cotangent for every part', `none for part ${index}`);
    });
    return [context.emit('concat', parts, {}, 'backward')];
  },
};

/** Joins along the last dimension: [..., n1], [..., n2], … → [..., n]. */
export const concat: OpRecord<'concat'> = {
  infer: (operands, _, mesh) => {
    const all = labels(operands[0]?.shape.length ?? 0);
    const last = all.at(-1) ?? '';
    const size = operands.reduce((total, operand) => total + (operand.shape.at(-1) ?? 0), 0);
    const rule = {
      operands: operands.map(() => all),
      results: [all],
      uneven: [last],
      linear: 'joint' as const,
      resultSizes: [{ [last]: size }],
    };
    return inferByRule('concat', rule, operands, mesh);
  },
  work: moves,
  vjp: (context, op, [cotangent]) => {
    const sizes = op.operands.map((operand) => context.type(operand).shape.at(-1)!);
    return context.emitAll('split', [cotangent!], { sizes }, 'backward');
  },
};

const wholeHeads = (type: ValueType | undefined, dimension: number, headWidth: number): number => {
  const heads = (type?.shape[dimension] ?? 0) / headWidth;
  if (!Number.isInteger(heads) || heads < 1)
    throw invalid('split_heads', `a multiple of the head width ${headWidth}`, `[${type?.shape.join(',')}]`);
  return heads;
};

/** [B,S,H·d] → [B,H,S,d]; sharding over the width becomes sharding over the heads. */
export const split_heads: OpRecord<'split_heads'> = {
  infer: (operands, { headWidth }, mesh) => {
    const rule = {
      operands: [['b', 's', 'h']],
      results: [['b', 'h', 's', 'd']],
      linear: [0],
      resultSizes: [{ h: wholeHeads(operands[0], 2, headWidth), d: headWidth }],
    };
    return inferByRule('split_heads', rule, operands, mesh);
  },
  work: moves,
  vjp: (context, _op, [cotangent]) => [context.emit('merge_heads', [cotangent!], {}, 'backward')],
};

/** [B,H,S,d] → [B,S,H·d]. */
export const merge_heads: OpRecord<'merge_heads'> = {
  infer: (operands, _, mesh) => {
    const [, heads = 0, , headWidth = 0] = operands[0]?.shape ?? [];
    const rule = {
      operands: [['b', 'h', 's', 'd']],
      results: [['b', 's', 'h']],
      linear: [0],
      resultSizes: [{ h: heads * headWidth }],
    };
    return inferByRule('merge_heads', rule, operands, mesh);
  },
  work: moves,
  vjp: (context, op, [cotangent]) => {
    const headWidth = context.type(op.operands[0]!).shape[3]!;
    return [context.emit('split_heads', [cotangent!], { headWidth }, 'backward')];
  },
};

/** Images [B,H,W,C] → patches [B,S,P·P·C], row by row; each patch flattened row by row, channels last. */
export const extract_patches: OpRecord<'extract_patches'> = {
  infer: (operands, { patch }, mesh) => {
    const [, height = 0, width = 0, channels = 0] = operands[0]?.shape ?? [];
    if (height % patch !== 0 || width % patch !== 0)
      throw invalid('extract_patches', `sides that are multiples of ${patch}`, `${height}×${width}`);
    const rule = {
      operands: [['b', 'y', 'x', 'c']],
      results: [['b', 's', 'p']],
      linear: [0],
      resultSizes: [{ s: (height / patch) * (width / patch), p: patch * patch * channels }],
    };
    return inferByRule('extract_patches', rule, operands, mesh);
  },
  work: moves,
  vjp: (context, op, [cotangent]) => {
    const [, height, width] = context.type(op.operands[0]!).shape as [number, number, number];
    return [context.emit('assemble_patches', [cotangent!], { patch: op.attributes.patch, height, width }, 'backward')];
  },
};

/** The inverse of `extract_patches`: [B,S,P·P·C] → [B,H,W,C]. */
export const assemble_patches: OpRecord<'assemble_patches'> = {
  infer: (operands, { patch, height, width }, mesh) => {
    const [, tokens = 0, size = 0] = operands[0]?.shape ?? [];
    if (tokens !== (height / patch) * (width / patch))
      throw invalid('assemble_patches', `${(height / patch) * (width / patch)} patches`, String(tokens));
    const rule = {
      operands: [['b', 's', 'p']],
      results: [['b', 'y', 'x', 'c']],
      linear: [0],
      resultSizes: [{ y: height, x: width, c: size / (patch * patch) }],
    };
    return inferByRule('assemble_patches', rule, operands, mesh);
  },
  work: moves,
  vjp: (context, op, [cotangent]) => [
    context.emit('extract_patches', [cotangent!], { patch: op.attributes.patch }, 'backward'),
  ],
};
