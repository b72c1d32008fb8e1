/** Blocks of a tensor, addressed by a rank's place along an axis. Executors read and write them where they lie. */
import { axisSize, stateOf } from '../../mesh/index.js';
import type { Mesh } from '../../mesh/index.js';
import type { ValueType } from '../types.js';
import type { BlockPlace } from './attributes.js';
import type { OpRecord } from './record.js';
import { invalid } from './record.js';

function requireManual(
  name: string,
  mesh: Mesh,
  type: ValueType | undefined,
  { axis, dimension }: BlockPlace,
): ValueType {
  if (type === undefined || type.stack !== undefined) throw invalid(name, 'a tensor', type ? 'a stack' : 'nothing');
  if (axisSize(mesh, axis) === 1) throw invalid(name, 'an axis of the mesh', axis);
  const state = stateOf(type.states, axis);
  if (state !== 'replicated') throw invalid(`${name}, axis ${axis}`, 'no state, in a manual region', String(state));
  if (dimension >= type.shape.length) throw invalid(name, 'a dimension of the operand', String(dimension));
  return type;
}

const still = () => ({ vectorFlops: 0 });

/** whole [..., n, ...] → the block [..., n/k, ...] at the place. */
export const take: OpRecord<'take'> = {
  infer: ([operand], place, mesh) => {
    const type = requireManual('take', mesh, operand, place);
    const parts = axisSize(mesh, place.axis);
    const size = type.shape[place.dimension]!;
    if (size % parts !== 0) throw invalid('take', `a dimension that divides by ${parts}`, String(size));
    return [{ ...type, shape: type.shape.with(place.dimension, size / parts) }];
  },
  work: still,
};

/**
 * (block [..., n/k, ...], whole [..., n, ...]?) → whole with the block at the place. The whole is written in place, so
 * nothing else may use it; without one a new tensor is begun, whose other blocks are still to be put.
 */
export const put: OpRecord<'put'> = {
  infer: ([block, whole], place, mesh) => {
    const type = requireManual('put', mesh, block, place);
    const size = type.shape[place.dimension]! * axisSize(mesh, place.axis);
    const result = { ...type, shape: type.shape.with(place.dimension, size) };
    if (whole !== undefined && (whole.dtype !== type.dtype || whole.shape.join() !== result.shape.join()))
      throw invalid('put', `${type.dtype}[${result.shape.join(',')}]`, `${whole.dtype}[${whole.shape.join(',')}]`);
    return [result];
  },
  work: still,
};
