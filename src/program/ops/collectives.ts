/**
 * Collectives along one mesh axis, and their transposes. What each rank sends is in `collectiveBytes`: the counts of
 * the ring algorithms, which are also the least possible for these operations (Chan et al. 2007).
 */
import { axisSize, dealOrder, stateOf, withState } from '../../mesh/index.js';
import type { AxisName, AxisState, AxisStates, Mesh } from '../../mesh/index.js';
import type { ValueId, ValueType } from '../types.js';
import { typeBytes } from '../types.js';
import type { CollectiveName } from './attributes.js';
import type { OpRecord } from './record.js';
import { invalid } from './record.js';

function require(name: string, mesh: Mesh, type: ValueType | undefined, axis: AxisName, state: AxisState): ValueType {
  if (type === undefined) throw invalid(name, 'an operand', 'none');
  if (axisSize(mesh, axis) === 1) throw invalid(name, 'an axis of the mesh', axis);
  const got = stateOf(type.states, axis);
  if (got !== state) throw invalid(`${name}, axis ${axis}`, String(state), String(got));
  return type;
}

/** Parts of a dimension that several axes share are dealt in a fixed order, so only the last can be gathered. */
function requireDealtLast(name: string, mesh: Mesh, states: AxisStates, axis: AxisName, dimension: number): void {
  const sharing = dealOrder(mesh).filter((other) => other.name === axis || states[other.name] === dimension);
  if (sharing.at(-1)?.name !== axis) throw invalid(name, `axis ${sharing.at(-1)?.name} handled first`, axis);
}

const resize = (shape: readonly number[], dimension: number, size: number): number[] =>
  shape.map((old, index) => (index === dimension ? size : old));

function divide(name: string, shape: readonly number[], dimension: number, parts: number): number[] {
  const size = shape[dimension];
  if (size === undefined || size % parts !== 0)
    throw invalid(name, `dimension ${dimension} to divide by ${parts}`, `[${shape.join(',')}]`);
  return resize(shape, dimension, size / parts);
}

/** The sums of a reduction are not counted: they hide behind the transfers. */
const still = () => ({ vectorFlops: 0 });

const perOperand = (name: string, operands: readonly ValueType[], list: readonly number[]): void => {
  if (operands.length === 0 || list.length !== operands.length)
    throw invalid(name, `one entry for each of ${operands.length} operands`, `[${list.join(',')}]`);
};

/** The cotangents that there are, with their operands' dimensions. */
function present(cotangents: readonly (ValueId | undefined)[], dimensions: readonly number[]) {
  const indices = cotangents.flatMap((cotangent, index) => (cotangent === undefined ? [] : [index]));
  return {
    values: indices.map((index) => cotangents[index]!),
    dimensions: indices.map((index) => dimensions[index]!),
    /** Puts results back to where their cotangents were. */
    spread: (results: readonly ValueId[]): (ValueId | undefined)[] => {
      const placed = cotangents.map((): ValueId | undefined => undefined);
      indices.forEach((index, position) => (placed[index] = results[position]!));
      return placed;
    },
  };
}

/** Each operand: sharded over its dimension → replicated. */
export const all_gather: OpRecord<'all_gather'> = {
  infer: (operands, { axis, dimensions }, mesh) => {
    perOperand('all_gather', operands, dimensions);
    return operands.map((operand, index) => {
      const dimension = dimensions[index]!;
      const type = require('all_gather', mesh, operand, axis, dimension);
      requireDealtLast('all_gather', mesh, type.states, axis, dimension);
      const shape = resize(type.shape, dimension, type.shape[dimension]! * axisSize(mesh, axis));
      return { ...type, shape, states: withState(mesh, type.states, axis, 'replicated') };
    });
  },
  work: still,
  vjp: (context, op, cotangents) => {
    const { axis, dimensions, gradientType } = op.attributes;
    const given = present(cotangents, dimensions);
    const values = given.values.map((value) =>
      gradientType === undefined || context.type(value).dtype === gradientType
        ? value
        : context.emit('cast', [value], { dtype: gradientType }, 'backward-cast'),
    );
    return given.spread(context.emitAll('reduce_scatter', values, { axis, dimensions: given.dimensions }, 'backward'));
  },
};

/** Each operand: partial → sharded over its dimension. */
export const reduce_scatter: OpRecord<'reduce_scatter'> = {
  infer: (operands, { axis, dimensions }, mesh) => {
    perOperand('reduce_scatter', operands, dimensions);
    return operands.map((operand, index) => {
      const dimension = dimensions[index]!;
      const type = require('reduce_scatter', mesh, operand, axis, 'partial');
      const states = withState(mesh, type.states, axis, dimension);
      requireDealtLast('reduce_scatter', mesh, states, axis, dimension);
      return { ...type, shape: divide('reduce_scatter', type.shape, dimension, axisSize(mesh, axis)), states };
    });
  },
  work: still,
  vjp: (context, op, cotangents) => {
    const { axis, dimensions } = op.attributes;
    const given = present(cotangents, dimensions);
    return given.spread(
      context.emitAll('all_gather', given.values, { axis, dimensions: given.dimensions }, 'backward'),
    );
  },
};

/** Partial → replicated; several tensors may be reduced by one launch. */
export const all_reduce: OpRecord<'all_reduce'> = {
  infer: (operands, { axis }, mesh) =>
    operands.map((operand) => {
      const type = require('all_reduce', mesh, operand, axis, 'partial');
      return { ...type, states: withState(mesh, type.states, axis, 'replicated') };
    }),
  work: still,
  vjp: (context, op, cotangents) => {
    const given = present(cotangents, []);
    return given.spread(context.emitAll('all_reduce', given.values, op.attributes, 'backward'));
  },
};

/** Sharded over `from` → sharded over `to`. */
export const all_to_all: OpRecord<'all_to_all'> = {
  infer: ([operand], { axis, from, to }, mesh) => {
    const type = require('all_to_all', mesh, operand, axis, from);
    requireDealtLast('all_to_all', mesh, type.states, axis, from);
    const states = withState(mesh, type.states, axis, to);
    requireDealtLast('all_to_all', mesh, states, axis, to);
    const parts = axisSize(mesh, axis);
    const gathered = resize(type.shape, from, type.shape[from]! * parts);
    return [{ ...type, shape: divide('all_to_all', gathered, to, parts), states }];
  },
  work: still,
  vjp: (context, op, [cotangent]) => {
    const { axis, from, to } = op.attributes;
    return [context.emit('all_to_all', [cotangent!], { axis, from: to, to: from }, 'backward')];
  },
};

/** Each rank's values move along the axis; their states stay. */
export const permute: OpRecord<'permute'> = {
  infer: (operands, { axis, shifts }, mesh) => {
    perOperand('permute', operands, shifts);
    if (axisSize(mesh, axis) === 1) throw invalid('permute', 'an axis of the mesh', axis);
    return [...operands];
  },
  work: still,
  vjp: (context, op, cotangents) => {
    const { axis, shifts } = op.attributes;
    const given = present(
      cotangents,
      shifts.map((shift) => -shift),
    );
    return given.spread(context.emitAll('permute', given.values, { axis, shifts: given.dimensions }, 'backward'));
  },
};

/** Bytes that each rank sends, given what it holds before. */
export function collectiveBytes(name: CollectiveName, operands: readonly ValueType[], size: number): number {
  const held = operands.reduce((total, operand) => total + typeBytes(operand), 0);
  switch (name) {
    case 'all_gather':
      return (size - 1) * held;
    case 'reduce_scatter':
    case 'all_to_all':
      return ((size - 1) / size) * held;
    case 'all_reduce':
      return 2 * ((size - 1) / size) * held;
    case 'permute':
      return held;
  }
}
