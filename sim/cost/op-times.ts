/** What an op takes by times that were measured of it, pure. */
import type { Chip, OpTime } from '../../src/hardware/index.js';
import type { Op, Value } from '../../src/program/index.js';
import type { Bytes, Seconds } from '../../src/units.js';
import { bytes, seconds } from '../../src/units.js';
import { trafficBytes } from './traffic.js';

/** Beside the ops' own names: what a matmul takes longer that adds a matrix of its result's shape. */
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

/** The addend of a matmul that has one, as an addition to the result: read, and the result read and written again. */
export function addendOf(
  op: Op,
  values: readonly Value[],
): { readonly name: string; readonly size: OpSize } | undefined {
  const addend = op.operands[2];
  if (addend === undefined || (op.name !== 'matmul' && op.name !== 'matmul_weight_gradient')) return undefined;
  const { shape } = values[addend]!.type;
  const one = { operands: [op.results[0]!, addend], results: [op.results[0]!] };
  return {
    name: shape.length === 1 ? 'add' : MATMUL_ADDEND,
    size: opSizeOf({ ...op, name: 'add', ...one, attributes: {} }, values),
  };
}

/**
 * An op's time as a start, so much a byte and so much a row, none below zero, fitted to what was measured; and by how much
 * each measurement lies beside that, at the logarithms of its bytes and of its row's length.
 */
interface OpModel {
  readonly coefficients: readonly number[];
  readonly residuals: readonly { readonly at: readonly [number, number]; readonly ratio: number }[];
}

/** Bytes come first, so that one measurement alone says what a byte takes. */
const featuresOf = (size: number, row: number): number[] => [size, size / row, 1];
const placeOf = (size: number, row: number): [number, number] => [Math.log(size), Math.log(row)];
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, one, at) => sum + one * b[at]!, 0);

/** Of Gauss–Jordan elimination; nothing where the equations do not say. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] | undefined {
  const rows = matrix.map((row, at) => [...row, right[at]!]);
  for (let column = 0; column < rows.length; column++) {
    const pivot = rows
      .slice(column)
      .reduce((best, row) => (Math.abs(row[column]!) > Math.abs(best[column]!) ? row : best));
    if (Math.abs(pivot[column]!) < 1e-12) return undefined;
    const at = rows.indexOf(pivot);
    [rows[at], rows[column]] = [rows[column]!, pivot];
    const scaled = pivot.map((value) => value / pivot[column]!);
    rows.forEach((row, index) => {
      rows[index] = index === column ? scaled : row.map((value, place) => value - row[column]! * scaled[place]!);
    });
  }
  return rows.map((row) => row.at(-1)!);
}

/** Least squares of relative errors with coefficients ≥ 0: the best of those over each set of them that is left at 0. */
function fitTimes(points: readonly OpTime[]): number[] {
  const count = 3;
  const rows = points.map(({ bytes: size, row = 1, seconds: time }) => featuresOf(size, row).map((one) => one / time));
  const scales = Array.from({ length: count }, (_, at) => Math.max(...rows.map((row) => row[at]!)));
  let best: number[] | undefined;
  let least = Infinity;
  for (let set = 1; set < 2 ** count; set++) {
    const used = [...scales.keys()].filter((at) => (set >> at) % 2 === 1);
    const scaled = rows.map((row) => used.map((at) => row[at]! / scales[at]!));
    const normal = used.map((_, a) => used.map((__, b) => scaled.reduce((sum, row) => sum + row[a]! * row[b]!, 0)));
    const found = solve(
      normal,
      used.map((_, a) => scaled.reduce((sum, row) => sum + row[a]!, 0)),
    );
    if (found === undefined || found.some((one) => one < 0)) continue;
    const error = scaled.reduce((sum, row) => sum + (dot(row, found) - 1) ** 2, 0);
    // More terms have to be worth it, so that what few points leave open stays with the fewest.
    if (error >= least - 1e-9) continue;
    least = error;
    best = Array.from({ length: count }, (_, at) => (used.includes(at) ? found[used.indexOf(at)]! / scales[at]! : 0));
  }
  return best!;
}

function modelOf(points: readonly OpTime[]): OpModel {
  const coefficients = fitTimes(points);
  const residuals = points.map(({ bytes: size, row = 1, seconds: time }) => ({
    at: placeOf(size, row),
    ratio: time / dot(coefficients, featuresOf(size, row)),
  }));
  return { coefficients, residuals };
}

const known = new WeakMap<readonly OpTime[], ReadonlyMap<string, OpModel>>();

function modelsOf(times: readonly OpTime[]): ReadonlyMap<string, OpModel> {
  let found = known.get(times);
  if (found === undefined) {
    const byOp = new Map<string, OpTime[]>();
    for (const time of times) byOp.set(time.op, [...(byOp.get(time.op) ?? []), time]);
    found = new Map([...byOp].map(([op, points]) => [op, modelOf(points)]));
    known.set(times, found);
  }
  return found;
}

/** Of inverse distances, as for matmuls. */
const DISTANCE_POWER = 4;

/**
 * The fitted form times the ratios of what was measured to it, weighted by inverse distance (Shepard 1968): a size that
 * was measured gets what was measured, and far from all it is the form that decides.
 *
 * @returns nothing where no time of the op was measured
 */
export function opTime(
  { opTimes }: Pick<Chip, 'opTimes'>,
  name: string,
  { bytes: size, row }: OpSize,
): Seconds | undefined {
  const model = opTimes && modelsOf(opTimes).get(name);
  if (model === undefined || size === 0) return undefined;
  const { coefficients, residuals } = model;
  const time = dot(coefficients, featuresOf(size, row));
  const [x, y] = placeOf(size, row);
  let weights = 0;
  let weighted = 0;
  for (const { at, ratio } of residuals) {
    const squared = (at[0] - x) ** 2 + (at[1] - y) ** 2;
    if (squared === 0) return seconds(time * ratio);
    const weight = squared ** (-DISTANCE_POWER / 2);
    weights += weight;
    weighted += weight * ratio;
  }
  return seconds((time * weighted) / weights);
}

/** The fastest that any op moves bytes, however many it moves. */
export function fastestMemory({ memoryBandwidth: { peak, achievable }, opTimes = [] }: Chip): number {
  let most = Math.max(peak, achievable);
  for (const { coefficients, residuals } of modelsOf(opTimes).values()) {
    const perByte = coefficients[0]! * Math.min(...residuals.map(({ ratio }) => ratio));
    // An op of which no byte takes any time bounds nothing, however much it moves.
    most = Math.max(most, perByte === 0 ? Infinity : 1 / perByte);
  }
  return most;
}
