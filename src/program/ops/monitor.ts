/** What is looked at of a step beside its loss. Each op goes on from a number of before, so that no list of them is kept. */
import { copyCount, formatStates, normalizeStates, stateOf } from '../../mesh/index.js';
import type { Mesh } from '../../mesh/index.js';
import type { ValueType } from '../types.js';
import type { OpRecord } from './record.js';
import { elements, invalid } from './record.js';

function requireWhole(name: string, mesh: Mesh, type: ValueType | undefined): ValueType {
  if (type === undefined || type.stack !== undefined) throw invalid(name, 'a tensor', 'none');
  for (const { name: axis } of mesh.axes)
    if (stateOf(type.states, axis) === 'partial') throw invalid(`${name}, axis ${axis}`, 'whole or sharded', 'partial');
  return type;
}

/** What an op goes on from is like its result. */
function requireBefore(name: string, before: ValueType | undefined, wanted: Omit<ValueType, 'dtype'>): ValueType {
  if (before === undefined) throw invalid(name, 'a number before', 'none');
  const format = ({ shape, states }: typeof wanted): string => `[${shape.join(',')}]${formatStates(states)}`;
  if (before.stack !== undefined || format(before) !== format(wanted))
    throw invalid(name, `a number before of ${format(wanted)}`, format(before));
  return before;
}

/**
 * before + share · Σx²: (x, before []) → the type of before, partial over all axes. Ranks that hold the same part of x
 * add equal shares of its sum, so that the sum over all ranks counts each element once.
 */
export const sum_squares: OpRecord<'sum_squares'> = {
  infer: ([x, before], { share }, mesh) => {
    const type = requireWhole('sum_squares', mesh, x);
    const copies = copyCount(mesh, type.states);
    if (share !== 1 / copies) throw invalid('sum_squares', `a share of 1 / ${copies}`, `${share}`);
    const states = normalizeStates(mesh, Object.fromEntries(mesh.axes.map(({ name }) => [name, 'partial'])));
    return [requireBefore('sum_squares', before, { shape: [], states })];
  },
  work: ([x]) => ({ vectorFlops: 2 * elements(x!) }),
};

/**
 * max(before, |x|): (x, before [1,…,1] of its rank and states) → the type of before: of the whole, one number for each
 * part that x is sharded into.
 */
export const max_absolute: OpRecord<'max_absolute'> = {
  infer: ([x, before], _, mesh) => {
    const type = requireWhole('max_absolute', mesh, x);
    return [requireBefore('max_absolute', before, { shape: type.shape.map(() => 1), states: type.states })];
  },
  work: ([x]) => ({ vectorFlops: 2 * elements(x!) }),
};
