/** Tensors that move between a chip's memory and its host's, as they are. */
import type { ValueType } from '../types.js';
import type { OpRecord } from './record.js';
import { invalid } from './record.js';

const single = (name: string, type: ValueType): ValueType => {
  if (type.stack !== undefined) throw invalid(name, 'single tensors', 'a stack');
  return type;
};

const still = () => ({ vectorFlops: 0 });

export const to_host: OpRecord<'to_host'> = {
  infer: (operands) =>
    operands.map((type) => {
      if (type.memory === 'host') throw invalid('to_host', "tensors in the chip's memory", "one in the host's");
      return { ...single('to_host', type), memory: 'host' };
    }),
  work: still,
};

/** The tensors to be moved: all operands, or the first half of them. */
export const movedOperands = <T>(
  operands: readonly T[],
  { into = false }: { readonly into?: boolean },
): readonly T[] => (into ? operands.slice(0, operands.length / 2) : operands);

export const from_host: OpRecord<'from_host'> = {
  infer: (operands, attributes) => {
    const moved = movedOperands(operands, attributes);
    const into = operands.slice(moved.length);
    return moved.map((type, index) => {
      const { memory, ...rest } = single('from_host', type);
      if (memory === undefined) throw invalid('from_host', "tensors in the host's memory", "one in the chip's");
      const { dtype, shape, memory: other }: ValueType = into[index] ?? rest;
      if (dtype !== rest.dtype || shape.join() !== rest.shape.join() || other !== undefined)
        throw invalid(
          'from_host',
          `${rest.dtype}[${rest.shape.join(',')}] to move it into`,
          `${dtype}[${shape.join(',')}]`,
        );
      return rest;
    });
  },
  work: still,
};
