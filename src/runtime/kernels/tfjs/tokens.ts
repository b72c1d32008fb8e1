import * as tf from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import { elementCount } from '../../../program/types.js';
import { coordinateOf, tokenPlaces } from '../family.js';
import type { TableOp } from '../family.js';
import { asMatrix, lastOf, shapeOf, sumLast } from './kernel.js';
import type { TfjsCall, TfjsKernel } from './kernel.js';

/** Where ids lie in a rank's part of `size` rows or classes. */
interface Places {
  /** int32 [tokens], in [0, size): 0 for ids that another rank has. */
  readonly index: Tensor1D;
  /** 0 or 1 [tokens, 1], absent where the rank has all of them. */
  readonly present?: Tensor;
}

function placesOf({ attributes, coordinate, kept }: TfjsCall<TableOp>, ids: Tensor, size: number): Places {
  const flat = tf.reshape(ids, [ids.size]);
  // `gather` refuses an id that the table does not have; a scatter would write beside it.
  if (attributes.axis === undefined)
    return { index: tf.gather<Tensor1D>(kept('range', () => tf.range(0, size, 1, 'int32')) as Tensor1D, flat) };
  const local = tf.sub(flat, tf.scalar(coordinateOf(attributes, coordinate) * size, 'int32'));
  const isPresent = tf.logicalAnd(
    tf.greaterEqual(local, tf.scalar(0, 'int32')),
    tf.less(local, tf.scalar(size, 'int32')),
  );
  return {
    index: tf.mul(local, tf.cast(isPresent, 'int32')),
    present: tf.reshape(tf.cast(isPresent, 'float32'), [ids.size, 1]),
  };
}

/** [tokens, n], zeros where the rank does not have the id. */
const masked = (rows: Tensor, { present }: Places): Tensor => (present === undefined ? rows : tf.mul(rows, present));

export const embedding: TfjsKernel<'embedding'> = (call) => {
  const [table, ids] = call.operands as [Tensor, Tensor];
  const places = placesOf(call, ids, table.shape[0]!);
  return [tf.reshape(masked(tf.gather(table, places.index), places), shapeOf(call.resultTypes[0]!))];
};

export const embedding_backward: TfjsKernel<'embedding_backward'> = (call) => {
  const [ids, dy] = call.operands as [Tensor, Tensor];
  const { rows } = call.attributes;
  const places = placesOf(call, ids, rows);
  return [tf.scatterND(tf.reshape(places.index, [ids.size, 1]), masked(asMatrix(dy), places), [rows, lastOf(dy)])];
};

/** Pair i of position p turns by p · base^(−2i/d); cosines and sines are tables [S,d/2]. */
export const rotary: TfjsKernel<'rotary'> = (call) => {
  const { backend, operands, types, attributes, coordinate, kept } = call;
  const { base, inverse, tokens } = attributes;
  const [batch, heads, count, width] = types[0]!.shape as [number, number, number, number];
  const half = width / 2;
  const table = (name: string, f: (angle: number) => number): Tensor =>
    kept(name, () => {
      const { own } = tokenPlaces(count, tokens, coordinate);
      const angle = (index: number): number => own[Math.floor(index / half)]! * base ** (-(index % half) / half);
      return tf.tensor(
        Float32Array.from({ length: count * half }, (_, index) => f(angle(index))),
        [count, half],
      );
    });
  const [cosine, sine] = [table('cosine', Math.cos), table('sine', inverse ? (angle) => Math.sin(-angle) : Math.sin)];
  const [a, b] = backend
    .split(asMatrix(operands[0]!), [half, half])
    .map((part) => tf.reshape(part, [batch, heads, count, half])) as [Tensor, Tensor];
  const first = tf.sub(tf.mul(a, cosine), tf.mul(b, sine));
  const second = tf.add(tf.mul(b, cosine), tf.mul(a, sine));
  return [tf.reshape(tf.concat([asMatrix(first), asMatrix(second)], 1), shapeOf(types[0]!))];
};

export const log_sum_exp: TfjsKernel<'log_sum_exp'> = ({ operands: [x] }) => {
  const largest = tf.max(x!, -1, true);
  return [tf.add(largest, tf.log(sumLast(tf.exp(tf.sub(x!, largest)))))];
};

/** exp(x − lse) · dy. */
export const log_sum_exp_backward: TfjsKernel<'log_sum_exp_backward'> = ({ operands: [x, lse, dy] }) => [
  tf.mul(tf.exp(tf.sub(x!, lse!)), dy!),
];

/** int32 [tokens, 2]: each token's number and its class. */
function positions({ kept }: TfjsCall<TableOp>, { index }: Places): Tensor2D {
  const count = index.shape[0];
  const rows = kept('rows', () => tf.reshape(tf.range(0, count, 1, 'int32'), [count, 1]));
  return tf.concat<Tensor2D>([rows as Tensor2D, tf.reshape(index, [count, 1])], 1);
}

export const token_cross_entropy: TfjsKernel<'token_cross_entropy'> = (call) => {
  const [logits, targets, lse] = call.operands as [Tensor, Tensor, Tensor];
  const places = placesOf(call, targets, lastOf(logits));
  const picked = tf.reshape(tf.gatherND(asMatrix(logits), positions(call, places)), [targets.size, 1]);
  const losses = masked(tf.sub(tf.reshape(lse, [targets.size, 1]), picked), places);
  return [tf.mul(tf.sum(losses), call.number(1 / call.attributes.divisor))];
};

export const token_cross_entropy_backward: TfjsKernel<'token_cross_entropy_backward'> = (call) => {
  const [targets, cotangent] = call.operands as [Tensor, Tensor];
  const [ofLogits, ofLse] = call.resultTypes;
  const { classes, divisor } = call.attributes;
  const count = elementCount(call.types[0]!.shape);
  const places = placesOf(call, targets, classes);
  const factors = masked(tf.mul(tf.fill([count, 1], 1 / divisor), cotangent), places);
  const scattered = tf.scatterND(positions(call, places), tf.reshape(tf.neg(factors), [count]), [count, classes]);
  return [tf.reshape(scattered, shapeOf(ofLogits!)), tf.reshape(factors, shapeOf(ofLse!))];
};
