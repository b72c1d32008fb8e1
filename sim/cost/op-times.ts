/** What an op takes by times that were measured of it, pure. */
import type { Chip, OpTime } from '../../src/hardware/index.js';
import type { Op, Value } from '../../src/program/index.js';
import type { Bytes, Seconds } from '../../src/units.js';
import { bytes, seconds } from '../../src/units.js';
import { trafficBytes } from './traffic.js';

/** Beside the ops' own names: what a matmul takes longer that adds a vector to its rows, or a matrix of its result's shape. */
export const MATMUL_BIAS = 'matmul_bias';
export const MATMUL_ADDEND = 'matmul_addend';

export interface OpSize {
  /** What it reads and writes. */
  readonly bytes: Bytes;
  /** The last dimension of what it reads first. */
  readonly row: number;
}

export function opSizeOf(op: Op, values: readonly Value[]): OpSize {
  const [first = op.results[0]!] = op.operands;
  return {
    bytes: bytes(trafficBytes([op], values, () => true)),
    row: values[first]!.type.shape.at(-1) ?? 1,
  };
}

/** Of the addend of a matmul that has one: read, and the result read and written again. */
export function addendOf(
  op: Op,
  values: readonly Value[],
): { readonly name: string; readonly size: OpSize } | undefined {
  const addend = op.operands[2];
  if (addend === undefined || (op.name !== 'matmul' && op.name !== 'matmul_weight_gradient')) return undefined;
  const { shape } = values[addend]!.type;
  const one = { operands: [op.results[0]!, addend], results: [op.results[0]!] };
  return {
    name: shape.length === 1 ? MATMUL_BIAS : MATMUL_ADDEND,
    size: opSizeOf({ ...op, name: 'add', ...one, attributes: {} }, values),
  };
}

/** By ascending bytes. */
type Curve = readonly OpTime[];
type Curves = ReadonlyMap<string, readonly { readonly row: number; readonly curve: Curve }[]>;

const known = new WeakMap<readonly OpTime[], Curves>();

function groupsOf<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

function curvesOf(times: readonly OpTime[]): Curves {
  let found = known.get(times);
  if (found === undefined) {
    found = new Map(
      [...groupsOf(times, ({ op }) => op)].map(([op, ofOp]) => [
        op,
        [...groupsOf(ofOp, ({ row = 1 }) => row)]
          .map(([row, curve]) => ({ row, curve: curve.toSorted((a, b) => a.bytes - b.bytes) }))
          .toSorted((a, b) => a.row - b.row),
      ]),
    );
    known.set(times, found);
  }
  return found;
}

/** Straight between sizes; the smallest takes no less, and the largest goes on as it came from the one before. */
function onCurve(curve: Curve, size: Bytes): number {
  const first = curve[0]!;
  if (size <= first.bytes) return first.seconds;
  const last = curve.length - 1;
  const above = curve.findIndex((point) => point.bytes >= size);
  if (last === 0) return (first.seconds * size) / first.bytes;
  const upper = above < 0 ? last : above;
  const [a, b] = [curve[upper - 1]!, curve[upper]!];
  const slope = b.bytes === a.bytes ? 0 : (b.seconds - a.seconds) / (b.bytes - a.bytes);
  if (above >= 0) return a.seconds + slope * (size - a.bytes);
  // A last step that noise made flat must not make all that is larger free.
  return b.seconds + Math.max(slope, b.seconds / b.bytes / 2) * (size - b.bytes);
}

/** @returns nothing where none of its times were measured */
export function opTime(
  { opTimes }: Pick<Chip, 'opTimes'>,
  name: string,
  { bytes: size, row }: OpSize,
): Seconds | undefined {
  const curves = opTimes && curvesOf(opTimes).get(name);
  if (curves === undefined) return undefined;
  const above = curves.findIndex((one) => one.row >= row);
  const upper = curves[above < 0 ? curves.length - 1 : above]!;
  const lower = curves[above <= 0 ? (above < 0 ? curves.length - 1 : 0) : above - 1]!;
  const [a, b] = [onCurve(lower.curve, size), onCurve(upper.curve, size)];
  if (upper === lower || upper.row === row) return seconds(b);
  const way = Math.log(row / lower.row) / Math.log(upper.row / lower.row);
  return seconds(a * (b / a) ** way);
}

/** The fastest that any op moves bytes, or that more of them take. */
export function fastestMemory({ memoryBandwidth: { peak, achievable }, opTimes = [] }: Chip): number {
  let most = Math.max(peak, achievable);
  for (const curves of curvesOf(opTimes).values())
    for (const { curve } of curves)
      curve.forEach((point, index) => {
        most = Math.max(most, point.bytes / point.seconds);
        const before = curve[index - 1];
        if (before === undefined || point.seconds <= before.seconds) return;
        most = Math.max(most, (point.bytes - before.bytes) / (point.seconds - before.seconds));
      });
  return most;
}
