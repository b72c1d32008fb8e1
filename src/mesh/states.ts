/**
 * Partition specs with the third state that makes differentiation through collectives sound: per mesh axis a value is
 * sharded over a dimension, replicated, or partial (every rank holds a term of a pending sum).
 */
import type { AxisName, Mesh } from './mesh.js';
import { AXIS_NAMES, coordinate, dealOrder } from './mesh.js';

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

/** How many ranks hold the same part of a value. */
export const copyCount = (mesh: Mesh, states: AxisStates): number =>
  mesh.axes.reduce((copies, { name, size }) => (stateOf(states, name) === 'replicated' ? copies * size : copies), 1);

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
 * A dimension that is not dealt in one run a rank:
 * - in parts that are dealt one by one: a fused projection's columns `[query | key | value | hidden]`, of which each rank
 *   gets its share; `sizes` are those of the whole parts;
 * - tokens over an axis of c ranks, in `zigzag`: see `zigzagChunks`.
 */
export type Segments =
  | { readonly dimension: number; readonly sizes: readonly number[] }
  | { readonly dimension: number; readonly zigzag: AxisName };

/**
 * The chunks of a sequence, of 2·`parts` equal ones, that the rank at `index` has: one from each end, so that all ranks
 * have equal work where a token attends to those before it (Grattafiori et al. 2024, §3.3.2).
 */
export const zigzagChunks = (index: number, parts: number): readonly [number, number] => [index, 2 * parts - 1 - index];

/** The tokens of a run of ranges from the `start`th on. */
function slice(ranges: readonly Range[], start: number, length: number): Range[] {
  const found: Range[] = [];
  let before = 0;
  for (const range of ranges) {
    const from = Math.max(0, start - before);
    const to = Math.min(range.length, start + length - before);
    if (to > from) found.push({ start: range.start + from, length: to - from });
    before += range.length;
  }
  return found;
}

/**
 * The ranges, per dimension, of the whole tensor that `rank` holds, in the order that it holds them.
 *
 * @param shape the whole tensor's shape
 */
export function shardRanges(
  mesh: Mesh,
  rank: number,
  shape: readonly number[],
  states: AxisStates,
  segments?: Segments,
): Range[][] {
  return shape.map((size, dimension) => {
    const own = segments?.dimension === dimension ? segments : undefined;
    let ranges: Range[] = [];
    let offset = 0;
    for (const length of own !== undefined && 'sizes' in own ? own.sizes : [size]) {
      ranges.push({ start: offset, length });
      offset += length;
    }
    let held = size;
    for (const { name, size: parts } of dealOrder(mesh)) {
      if (states[name] !== dimension) continue;
      const index = coordinate(mesh, rank, name);
      const each = held / parts;
      if (own !== undefined && 'sizes' in own)
        ranges = ranges.map(({ start, length }) => ({
          start: start + (length / parts) * index,
          length: length / parts,
        }));
      else if (own !== undefined && own.zigzag === name)
        ranges = zigzagChunks(index, parts).flatMap((chunk) => slice(ranges, (chunk * each) / 2, each / 2));
      else ranges = slice(ranges, each * index, each);
      held = each;
    }
    return ranges;
  });
}
