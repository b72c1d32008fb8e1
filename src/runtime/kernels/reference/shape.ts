import type { ValueType } from '../../../program/types.js';
import { elementCount } from '../../../program/types.js';
import type { Numbers } from '../tensors.js';
import type { ReferenceKernel } from './kernel.js';
import { rows, strides, walk } from './kernel.js';

/** Strides in the narrow tensor for each dimension of the wide one: 0 along the dimensions that only the wide one has. */
function narrowStrides(wide: readonly number[], added: readonly number[]): number[] {
  const narrow = strides(wide.filter((_, dimension) => !added.includes(dimension)));
  let next = 0;
  return wide.map((_, dimension) => (added.includes(dimension) ? 0 : narrow[next++]!));
}

export const sum: ReferenceKernel<'sum'> = ({ operands: [x], types: [type], resultTypes: [result], attributes }) => {
  const total = new Float64Array(elementCount(result!.shape));
  walk(type!.shape, narrowStrides(type!.shape, attributes.dimensions), (index, other) => (total[other]! += x![index]!));
  return [total];
};

export const expand: ReferenceKernel<'expand'> = ({ operands: [x], resultTypes: [result], attributes }) => {
  const wide = new Float64Array(elementCount(result!.shape));
  walk(
    result!.shape,
    narrowStrides(result!.shape, attributes.dimensions),
    (index, other) => (wide[index] = x![other]!),
  );
  return [wide];
};

export const split: ReferenceKernel<'split'> = ({ operands: [x], types: [type], attributes: { sizes } }) => {
  const { count, width } = rows(type!);
  let offset = 0;
  return sizes.map((size) => {
    const part = new Float64Array(count * size);
    for (let row = 0; row < count; row++) {
      for (let i = 0; i < size; i++) part[row * size + i] = x![row * width + offset + i]!;
    }
    offset += size;
    return part;
  });
};

export const concat: ReferenceKernel<'concat'> = ({ operands, types, resultTypes: [result] }) => {
  const { count, width } = rows(result!);
  const whole = new Float64Array(count * width);
  let offset = 0;
  operands.forEach((part, index) => {
    const size = types[index]!.shape.at(-1)!;
    for (let row = 0; row < count; row++) {
      for (let i = 0; i < size; i++) whole[row * width + offset + i] = part[row * size + i]!;
    }
    offset += size;
  });
  return [whole];
};

/** Reads x, seen as a tensor of shape `view`, in the order of dimensions `order`. */
function transpose(x: Numbers, view: readonly number[], order: readonly number[]): Float64Array {
  const from = strides(view);
  const result = new Float64Array(x.length);
  walk(
    order.map((dimension) => view[dimension]!),
    order.map((dimension) => from[dimension]!),
    (index, other) => (result[index] = x[other]!),
  );
  return result;
}

const dimensions4 = (type: ValueType): [number, number, number, number] =>
  type.shape as unknown as [number, number, number, number];

/** [B,S,H·d] → [B,H,S,d]. */
export const split_heads: ReferenceKernel<'split_heads'> = ({ operands: [x], resultTypes: [result] }) => {
  const [batch, heads, tokens, headWidth] = dimensions4(result!);
  return [transpose(x!, [batch, tokens, heads, headWidth], [0, 2, 1, 3])];
};

/** [B,H,S,d] → [B,S,H·d]. */
export const merge_heads: ReferenceKernel<'merge_heads'> = ({ operands: [x], types: [type] }) => [
  transpose(x!, type!.shape, [0, 2, 1, 3]),
];

/** [B,H,W,C] → [B,S,P·P·C]: rows of patches, patches, rows in a patch, pixels, channels. */
export const extract_patches: ReferenceKernel<'extract_patches'> = ({
  operands: [x],
  types: [type],
  attributes: { patch },
}) => {
  const [batch, height, width, channels] = dimensions4(type!);
  return [transpose(x!, [batch, height / patch, patch, width / patch, patch, channels], [0, 1, 3, 2, 4, 5])];
};

/** [B,S,P·P·C] → [B,H,W,C]. */
export const assemble_patches: ReferenceKernel<'assemble_patches'> = ({
  operands: [x],
  resultTypes: [result],
  attributes,
}) => {
  const [batch, height, width, channels] = dimensions4(result!);
  const { patch } = attributes;
  return [transpose(x!, [batch, height / patch, width / patch, patch, patch, channels], [0, 1, 3, 2, 4, 5])];
};
