import { elementCount } from '../../../program/types.js';
import { coordinateOf, tokenPlaces } from '../family.js';
import type { TableOp } from '../family.js';
import type { Emitter, Name, OnnxCall, OnnxKernel } from './emitter.js';

/** Where ids lie in a rank's part of `size` rows or classes. */
interface Places {
  /** int32, in [0, size): 0 for ids that another rank has. Where the rank has all of them, as they were given. */
  readonly index: Name;
  /** bool, absent where the rank has all of them. */
  readonly present?: Name;
}

function placesOf({ emitter, attributes, coordinate }: OnnxCall<TableOp>, ids: Name, size: number): Places {
  if (attributes.axis === undefined) return { index: ids };
  const local = emitter.node('Sub', [ids, emitter.integer(coordinateOf(attributes, coordinate) * size)]);
  const present = emitter.node('And', [
    emitter.node('GreaterOrEqual', [local, emitter.integer(0)]),
    emitter.node('Less', [local, emitter.integer(size)]),
  ]);
  return { index: emitter.node('Where', [present, local, emitter.integer(0)]), present };
}

/** Zeros where the rank does not have the id. [B,S] covers [B,S,n]. */
function masked(emitter: Emitter, value: Name, { present }: Places, ids: readonly number[]): Name {
  if (present === undefined) return value;
  return emitter.node('Where', [emitter.reshape(present, [...ids, 1]), value, emitter.scalar(0)]);
}

export const embedding: OnnxKernel<'embedding'> = (call) => {
  const { emitter, operands, types } = call;
  const places = placesOf(call, operands[1]!, types[0]!.shape[0]!);
  return [masked(emitter, emitter.node('Gather', [operands[0]!, places.index]), places, types[1]!.shape)];
};

export const embedding_backward: OnnxKernel<'embedding_backward'> = (call) => {
  const { emitter, operands, types } = call;
  const [ids, dy] = operands as [Name, Name];
  const { rows } = call.attributes;
  const width = types[1]!.shape.at(-1)!;
  const tokens = elementCount(types[0]!.shape);
  const places = placesOf(call, ids, rows);
  const updates = emitter.reshape(masked(emitter, dy, places, types[0]!.shape), [tokens, width]);
  const zeros = emitter.node('Expand', [emitter.runtimeZero(ids), emitter.integers([rows, width])]);
  // Not ScatterND, which loses terms where two threads add to a row at once.
  const index = emitter.node('Expand', [emitter.reshape(places.index, [tokens, 1]), emitter.integers([tokens, width])]);
  const attributes = { axis: { int: 0 }, reduction: { string: 'add' } };
  return [emitter.node('ScatterElements', [zeros, index, updates], attributes)];
};

/** Pair i of position p turns by p · base^(−2i/d); cosines and sines are tables [S,d/2]. */
export const rotary: OnnxKernel<'rotary'> = ({ emitter, operands: [x], types: [type], attributes, coordinate }) => {
  const { base, inverse, tokens } = attributes;
  const [, , count, width] = type!.shape as [number, number, number, number];
  const half = width / 2;
  const { own } = tokenPlaces(count, tokens, coordinate);
  const table = (f: (angle: number) => number): Name =>
    emitter.table(
      [count, half],
      Array.from({ length: count * half }, (_, index) => {
        const [position, i] = [own[Math.floor(index / half)]!, index % half];
        return f(position * base ** (-i / half) * (inverse ? -1 : 1));
      }),
    );
  const first = emitter.integers([0]);
  return [emitter.contrib('RotaryEmbedding', [x!, first, table(Math.cos), table(Math.sin)], {})];
};

/** Composed: onnxruntime's ReduceLogSumExp takes five times as long, since it takes no exponentials side by side. */
export const log_sum_exp: OnnxKernel<'log_sum_exp'> = ({ emitter, operands: [x] }) => {
  const largest = emitter.node('ReduceMax', [x!, emitter.integers([-1])]);
  const total = emitter.sumLast(emitter.node('Exp', [emitter.node('Sub', [x!, largest])]));
  return [emitter.node('Add', [largest, emitter.node('Log', [total])])];
};

/** exp(x − lse) · dy. */
export const log_sum_exp_backward: OnnxKernel<'log_sum_exp_backward'> = ({ emitter, operands: [x, lse, dy] }) => [
  emitter.node('Mul', [emitter.node('Exp', [emitter.node('Sub', [x!, lse!])]), dy!]),
];

export const token_cross_entropy: OnnxKernel<'token_cross_entropy'> = (call) => {
  const { emitter, operands, types, attributes } = call;
  const [logits, targets, lse] = operands as [Name, Name, Name];
  const ids = types[1]!.shape;
  const places = placesOf(call, targets, types[0]!.shape.at(-1)!);
  const picked = emitter.node('GatherElements', [logits, emitter.reshape(places.index, [...ids, 1])], {
    axis: { int: -1 },
  });
  const losses = masked(emitter, emitter.node('Sub', [lse, picked]), places, ids);
  return [emitter.node('Mul', [emitter.sumAll(losses), emitter.scalar(1 / attributes.divisor)])];
};

export const token_cross_entropy_backward: OnnxKernel<'token_cross_entropy_backward'> = (call) => {
  const { emitter, operands, types, resultTypes, attributes } = call;
  const [targets, cotangent] = operands as [Name, Name];
  const { classes, divisor } = attributes;
  const ids = types[0]!.shape;
  const places = placesOf(call, targets, classes);
  const factor = emitter.reshape(emitter.node('Mul', [cotangent, emitter.scalar(1 / divisor)]), [1]);
  // An index that is no class gives a row of zeros.
  const index =
    places.present === undefined
      ? places.index
      : emitter.node('Where', [places.present, places.index, emitter.integer(classes)]);
  const ofLogits = emitter.oneHot(index, ids, classes, emitter.node('Neg', [factor]));
  const everywhere = emitter.node('Expand', [factor, emitter.integers(resultTypes[1]!.shape)]);
  return [ofLogits, masked(emitter, everywhere, places, ids)];
};

/** Heads of a group lie next to each other, so that stacking them moves nothing. */
export const group_heads: OnnxKernel<'group_heads'> = ({ emitter, operands: [x], resultTypes: [result] }) => [
  emitter.reshape(x!, result!.shape),
];

export const ungroup_heads: OnnxKernel<'ungroup_heads'> = ({ emitter, operands: [x], resultTypes: [result] }) => [
  emitter.reshape(x!, result!.shape),
];
