/**
 * Partition specs with the third state that makes differentiation through collectives sound: per mesh axis a value is
 * sharded over a dimension, replicated, or partial (every rank holds a term of a pending sum).
 */
import type { AxisName, Mesh } from './mesh.js';
import { AXIS_NAMES, axisSize, coordinate } from './mesh.js';

/** A dimension's index means sharded over it. */
export type AxisState = number | 'replicated' | 'partial';

/** Axes that are not listed are replicated. Axes that the mesh lacks are never listed. */
export type AxisStates = Readonly<Partial<Record<AxisName, number | 'partial'>>>;

export const stateOf = (states: AxisStates, axis: AxisName): AxisState => states[axis] ?? 'replicated';

/** Drops the axes that the mesh lacks and the replicated ones, in the mesh's order of axes. */
export function normalizeStates(mesh: Mesh, states: Partial<Record<AxisName, AxisState>>): AxisStates {
  const result: Partial<Record<AxisName, number | 'partial'>> = {};
  for (const { name } of mesh.axes) {
    const state = states[name];
    if (state !== undefined && state !== 'replicated') result[name] = state;
  }
  return result;
}

export const withState = (mesh: Mesh, states: AxisStates, axis: AxisName, state: AxisState): AxisStates =>
  normalizeStates(mesh, { ...states, [axis]: state });

/** The state of a cotangent: sharded stays, the cotangent of a replicated value is partial and the other way round. */
export function dualStates(mesh: Mesh, states: AxisStates): AxisStates {
  const result: Partial<Record<AxisName, AxisState>> = {};
  for (const { name } of mesh.axes) {
    const state = stateOf(states, name);
    result[name] = state === 'replicated' ? 'partial' : state === 'partial' ? 'replicated' : state;
  }
  return normalizeStates(mesh, result);
}

export const sameStates = (a: AxisStates, b: AxisStates): boolean =>
  AXIS_NAMES.every((name) => stateOf(a, name) === stateOf(b, name));

export const formatStates = (states: AxisStates): string => {
  const entries = Object.entries(states);
  return entries.length === 0 ? '' : `{${entries.map(([axis, state]) => `${axis}: ${state}`).join(', ')}}`;
};

/** The shape of the whole tensor of which each rank holds `local`. */
export function globalShape(mesh: Mesh, local: readonly number[], states: AxisStates): number[] {
  const shape = [...local];
  for (const { name, size } of mesh.axes) {
    const state = states[name];
    if (typeof state === 'number') shape[state]! *= size;
  }
  return shape;
}

/** A range of indices along one dimension. */
export interface Range {
  readonly start: number;
  readonly length: number;
}

/**
 * The ranges, per dimension, of the whole tensor that `rank` holds.
 *
 * `segments` splits a dimension into parts that are sharded one by one: a fused projection's columns
 * `[query | key | value | hidden]` are dealt so that each rank gets its share of every part.
 *
 * @param shape the whole tensor's shape
 */
export function shardRanges(
  mesh: Mesh,
  rank: number,
  shape: readonly number[],
  states: AxisStates,
  segments?: { readonly dimension: number; readonly sizes: readonly number[] },
): Range[][] {
  return shape.map((size, dimension) => {
    let ranges: Range[] = [];
    let offset = 0;
    for (const length of segments?.dimension === dimension ? segments.sizes : [size]) {
      ranges.push({ start: offset, length });
      offset += length;
    }
    for (const { name } of mesh.axes) {
      if (states[name] !== dimension) continue;
      const parts = axisSize(mesh, name);
      const index = coordinate(mesh, rank, name);
      ranges = ranges.map(({ start, length }) => ({ start: start + (length / parts) * index, length: length / parts }));
    }
    return ranges;
  });
}
