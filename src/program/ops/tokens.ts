/**
 * What a language model adds: token embeddings, rotary positions and the cross-entropy over a vocabulary, each with the
 * vocabulary whole or sharded over an axis. Letters: V vocabulary, k the axis' size.
 */
import type { AxisName, AxisState, Mesh } from '../../mesh/index.js';
import { axisSize, stateOf, withState } from '../../mesh/index.js';
import type { ValueType } from '../types.js';
import type { OpRecord } from './record.js';
import { elements, inferByRule, invalid, labels, requireDeal, vector } from './record.js';

const TOKENS = ['b', 's'];

/** Ids have another type than what is computed with; the index rule sees them as if they had not. */
function inferWithIds(
  name: string,
  rule: Parameters<typeof inferByRule>[1],
  operands: readonly ValueType[],
  ids: number,
  mesh: Mesh,
): ValueType[] {
  const got = operands[ids]?.dtype;
  if (got !== 'i32') throw invalid(name, `operand ${ids} of i32`, String(got));
  const { dtype } = operands[ids === 0 ? 1 : 0] ?? { dtype: got };
  return inferByRule(name, rule, operands.with(ids, { ...operands[ids]!, dtype }), mesh);
}

function requireState(name: string, type: ValueType, axis: AxisName | undefined, dimension: number, mesh: Mesh): void {
  for (const { name: one } of mesh.axes) {
    const state = stateOf(type.states, one);
    const sharded = state === dimension;
    if (sharded !== (one === axis))
      throw invalid(`${name}, axis ${one}`, axis === one ? `sharded over ${dimension}` : 'whole rows', String(state));
  }
}

/**
 * Rows of a table: (table [V/k, D], ids [B,S]) → [B,S,D]. With rows sharded over `axis` a rank contributes those that
 * it has and zeros for the others, so that the result is partial.
 */
export const embedding: OpRecord<'embedding'> = {
  infer: (operands, { axis }, mesh) => {
    const rule = { operands: [['v', 'd'], TOKENS], results: [[...TOKENS, 'd']], summed: ['v'], linear: [0] };
    const types = inferWithIds('embedding', rule, operands, 1, mesh);
    requireState('embedding', operands[0]!, axis, 0, mesh);
    return types;
  },
  work: (_operands, [result]: readonly ValueType[] = []) => ({ vectorFlops: result ? elements(result) : 0 }),
  vjp: (context, op, [cotangent]) => {
    const rows = context.type(op.operands[0]!).shape[0]!;
    const operands = [op.operands[1]!, cotangent!];
    return [context.emit('embedding_backward', operands, { rows, ...op.attributes }, 'backward'), undefined];
  },
};

/** (ids [B,S], dy [B,S,D]) → the table's gradient [rows, D], rows sharded over `axis`. */
export const embedding_backward: OpRecord<'embedding_backward'> = {
  infer: (operands, { rows, axis }, mesh) => {
    const rule = {
      operands: [TOKENS, [...TOKENS, 'd']],
      results: [['v', 'd']],
      summed: TOKENS,
      linear: [1],
      resultSizes: [{ v: rows }],
    };
    const types = inferWithIds('embedding_backward', rule, operands, 0, mesh);
    return axis === undefined ? types : types.map((type) => shardBy('embedding_backward', mesh, type, axis, 0));
  },
  work: ([, dy]) => ({ vectorFlops: elements(dy!) }),
};

/** A result that every rank of `axis` makes another part of from replicated operands. */
function shardBy(name: string, mesh: Mesh, type: ValueType, axis: AxisName, state: AxisState): ValueType {
  const before = stateOf(type.states, axis);
  if (before !== 'replicated') throw invalid(`${name}, axis ${axis}`, 'replicated operands', String(before));
  return { ...type, states: withState(mesh, type.states, axis, state) };
}

/**
 * Rotary position embedding (Su et al. 2021) of x [B,H,S,d], whole sequences or the tokens that are dealt to a rank: the
 * halves of d are the pairs.
 */
export const rotary: OpRecord<'rotary'> = {
  infer: (operands, { tokens }, mesh) => {
    const width = operands[0]?.shape[3] ?? 0;
    if (width % 2 !== 0) throw invalid('rotary', 'an even head width', String(width));
    // Named anew, so that sharding over the width is refused.
    const rule = {
      operands: [['b', 'h', 's', 'd']],
      results: [['b', 'h', 's', 'e']],
      linear: [0],
      resultSizes: [{ e: width }],
    };
    const types = inferByRule('rotary', rule, operands, mesh);
    if (tokens !== undefined) requireDeal('rotary', mesh, operands[0], tokens, 2);
    for (const [axis, state] of Object.entries(operands[0]!.states)) {
      if (state === 2 && axis !== tokens?.axis) throw invalid(`rotary, axis ${axis}`, 'whole sequences', 'sharded');
    }
    return types;
  },
  work: vector(6),
  vjp: (context, op, [cotangent]) => {
    const { inverse, ...rest } = op.attributes;
    return [context.emit('rotary', [cotangent!], { ...rest, inverse: !inverse }, 'backward')];
  },
};

/** log Σ exp x over the last dimension, kept with size 1: over each rank's part where it is sharded. */
export const log_sum_exp: OpRecord<'log_sum_exp'> = {
  infer: (operands, _, mesh) => {
    const all = labels(operands[0]?.shape.length ?? 0);
    const rule = { operands: [all], results: [all], resultSizes: [{ [all.at(-1) ?? '']: 1 }] };
    return inferByRule('log_sum_exp', rule, operands, mesh);
  },
  work: vector(10),
  vjp: (context, op, [cotangent]) => [
    context.emit('log_sum_exp_backward', [op.operands[0]!, op.results[0]!, cotangent!], {}, 'backward'),
  ],
};

/** (x [..., n], its log-sum-exp [..., 1], dy [..., 1]) → exp(x − lse) · dy. */
export const log_sum_exp_backward: OpRecord<'log_sum_exp_backward'> = {
  infer: (operands, _, mesh) => {
    const all = labels(operands[0]?.shape.length ?? 0);
    const last = all.at(-1) ?? '';
    const resultSizes = [{ [last]: operands[0]?.shape.at(-1) ?? 0 }];
    const rule = { operands: [all, all, all], results: [all], uneven: [last], linear: [2], resultSizes };
    return inferByRule('log_sum_exp_backward', rule, operands, mesh);
  },
  work: vector(10),
};

/**
 * Σ over tokens of lse − x[target], divided: (logits [B,S,V/k], targets [B,S], lse [B,S,1] over all classes) → [].
 * Where classes are sharded over `axis` a rank counts the tokens whose target it has, so that the result is partial.
 */
export const token_cross_entropy: OpRecord<'token_cross_entropy'> = {
  infer: (operands, { axis }, mesh) => {
    const rule = {
      operands: [[...TOKENS, 'c'], TOKENS, [...TOKENS, 'n']],
      results: [[]],
      summed: [...TOKENS, 'c'],
    };
    const types = inferWithIds('token_cross_entropy', rule, operands, 1, mesh);
    requireState('token_cross_entropy', operands[0]!, axis, 2, mesh);
    return types;
  },
  work: ([, ids]) => ({ vectorFlops: 3 * elements(ids!) }),
  vjp: (context, op, [cotangent]) => {
    const classes = context.type(op.operands[0]!).shape[2]!;
    const [dlogits, dlse] = context.emitAll(
      'token_cross_entropy_backward',
      [op.operands[1]!, cotangent!],
      { classes, ...op.attributes },
      'backward',
    );
    return [dlogits, undefined, dlse];
  },
};

/** (targets [B,S], dloss []) → the cotangents of the logits [B,S,V/k] and of lse [B,S,1]. */
export const token_cross_entropy_backward: OpRecord<'token_cross_entropy_backward'> = {
  infer: (operands, { classes, axis }, mesh) => {
    const rule = {
      operands: [TOKENS, []],
      results: [
        [...TOKENS, 'c'],
        [...TOKENS, 'n'],
      ],
      linear: [1],
      resultSizes: [{ c: classes }, { n: 1 }],
    };
    const [dlogits, dlse] = inferWithIds('token_cross_entropy_backward', rule, operands, 0, mesh) as [
      ValueType,
      ValueType,
    ];
    const name = 'token_cross_entropy_backward';
    if (axis === undefined) return [dlogits, dlse];
    return [shardBy(name, mesh, dlogits, axis, 2), shardBy(name, mesh, dlse, axis, 'partial')];
  },
  work: ([ids], [dlogits]) => ({ vectorFlops: elements(ids!) + elements(dlogits!) }),
};

/**
 * [B,H,S,d] → [B,G,(H/G)·S,d]: the heads that share a key and value head are stacked, so that grouped-query attention
 * is one matmul a group. On an axis with `shared` keys and values the heads' sharding becomes one over the stacked rows.
 */
export const group_heads: OpRecord<'group_heads'> = {
  infer: ([operand, ...rest], { groups, shared }, mesh) => {
    const [batch = 0, heads = 0, tokens = 0, width = 0] = operand?.shape ?? [];
    if (operand === undefined || rest.length > 0 || operand.shape.length !== 4)
      throw invalid('group_heads', 'one operand [B,H,S,d]', `${rest.length + 1}`);
    if (heads % groups !== 0 || (shared !== undefined && groups !== 1))
      throw invalid(
        'group_heads',
        shared === undefined ? `heads that divide by ${groups}` : 'one shared group',
        `${heads}, ${groups}`,
      );
    const shape = [batch, groups, (heads / groups) * tokens, width];
    return [{ ...operand, shape, states: moveState(mesh, operand, shared, 1, 2) }];
  },
  work: () => ({ vectorFlops: 0 }),
  vjp: (context, op, [cotangent]) => {
    const { shared } = op.attributes;
    const heads = context.type(op.operands[0]!).shape[1]!;
    const attributes = { heads, ...(shared === undefined ? {} : { shared }) };
    return [context.emit('ungroup_heads', [cotangent!], attributes, 'backward')];
  },
};

/** The inverse of `group_heads`. */
export const ungroup_heads: OpRecord<'ungroup_heads'> = {
  infer: ([operand, ...rest], { heads, shared }, mesh) => {
    const [batch = 0, groups = 0, rows = 0, width = 0] = operand?.shape ?? [];
    if (operand === undefined || rest.length > 0 || operand.shape.length !== 4)
      throw invalid('ungroup_heads', 'one operand [B,G,R,d]', `${rest.length + 1}`);
    const tokens = (rows * groups) / heads;
    if (!Number.isInteger(tokens)) throw invalid('ungroup_heads', `rows of ${heads} heads`, `${groups} × ${rows}`);
    const shape = [batch, heads, tokens, width];
    return [{ ...operand, shape, states: moveState(mesh, operand, shared, 2, 1) }];
  },
  work: () => ({ vectorFlops: 0 }),
  vjp: (context, op, [cotangent]) => {
    const { shared } = op.attributes;
    const groups = context.type(op.operands[0]!).shape[1]!;
    const attributes = { groups, ...(shared === undefined ? {} : { shared }) };
    return [context.emit('group_heads', [cotangent!], attributes, 'backward')];
  },
};

/**
 * The states, where sharding over dimension `from` on the axis `shared` becomes one over `to`. Rows of stacked heads are
 * the tokens that they were of, so that what shards those shards them.
 */
function moveState(mesh: Mesh, { states }: ValueType, shared: AxisName | undefined, from: number, to: number) {
  if (shared === undefined || axisSize(mesh, shared) === 1) return states;
  const state = stateOf(states, shared);
  if (state !== from) throw invalid('group_heads', `sharding over dimension ${from} on ${shared}`, String(state));
  return withState(mesh, states, shared, to);
}
