/** What an op's record says, and the index rules that most of them share for shapes and per-axis states. */
import { MeshwrightError } from '../../errors.js';
import type { AxisName, AxisState, Mesh } from '../../mesh/index.js';
import { axisSize, stateOf } from '../../mesh/index.js';
import type { Op, ValueId, ValueType } from '../types.js';
import type { Attributes, OpName, TokenDeal } from './attributes.js';

/** A matrix multiplication on one chip: `batch` products of [m,k] by [k,n]. */
export interface MatmulWork {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** What an op computes on one chip; the bytes it reads and writes follow from its operands and results. */
export interface Work {
  readonly matmul?: MatmulWork;
  /** Arithmetic outside the matrix unit, in floating-point operations. */
  readonly vectorFlops: number;
}

export const matmulFlops = ({ batch, m, n, k }: MatmulWork): number => 2 * batch * m * n * k;

/** What a gradient rule may do. */
export interface VjpContext {
  readonly mesh: Mesh;
  /** Whether the operand at `index` needs a cotangent; work for others would be thrown away. */
  wants(index: number): boolean;
  type(value: ValueId): ValueType;
  /** Emits an op with one result. `tag` completes the forward op's id: `backward-input`, `backward-weight`. */
  emit<N extends OpName>(name: N, operands: readonly ValueId[], attributes: Attributes[N], tag: string): ValueId;
  /** As `emit`, for ops with several results. */
  emitAll<N extends OpName>(
    name: N,
    operands: readonly ValueId[],
    attributes: Attributes[N],
    tag: string,
  ): readonly ValueId[];
}

export interface OpRecord<N extends OpName> {
  /** Result types from operand types. @throws MeshwrightError PROGRAM_INVALID on shapes or states that can't be. */
  infer(operands: readonly ValueType[], attributes: Attributes[N], mesh: Mesh): ValueType[];
  work(operands: readonly ValueType[], results: readonly ValueType[], attributes: Attributes[N]): Work;
  /**
   * Cotangents of the operands from those of the results (absent where nothing depends on a result).
   * A missing rule means that the op is never differentiated: a backward op or an update.
   */
  vjp?(context: VjpContext, op: Op<N>, cotangents: readonly (ValueId | undefined)[]): readonly (ValueId | undefined)[];
}

/**
 * How dimensions line up: each is given a label, and a label that is `summed` disappears by addition.
 * `linear`: `joint` (a sum: all operands are partial or none), or the operands in which the op is linear one by one,
 * of which one at a time may be partial.
 */
export interface IndexRule {
  readonly operands: readonly (readonly string[])[];
  readonly results: readonly (readonly string[])[];
  readonly summed?: readonly string[];
  readonly linear?: 'joint' | readonly number[];
  /** Local sizes of result dimensions that differ from the operands', one record a result. */
  readonly resultSizes?: readonly Readonly<Record<string, number>>[];
  /** Labels that may have a different local size in each operand (the parts of a concatenation). */
  readonly uneven?: readonly string[];
}

export function invalid(place: string, expected: string, got: string): MeshwrightError {
  return new MeshwrightError('PROGRAM_INVALID', { place, expected, got });
}

/** That tokens, one `dimension` of an operand, are dealt over the axis that an op says, in chunks of equal size. */
export function requireDeal(
  name: string,
  mesh: Mesh,
  type: ValueType | undefined,
  { axis, parts }: TokenDeal,
  dimension: number,
): void {
  const place = `${name}, axis ${axis}`;
  const size = axisSize(mesh, axis);
  if (parts < 2 || size !== parts) throw invalid(place, `${parts} ranks, at least 2`, String(size));
  const state = stateOf(type?.states ?? {}, axis);
  if (state !== dimension) throw invalid(place, `tokens dealt along dimension ${dimension}`, String(state));
  if (type!.shape[dimension]! % 2 !== 0)
    throw invalid(place, 'an even number of tokens', String(type!.shape[dimension]));
}

/** The state of the results' labels on one axis: a sharded label, `partial` or `replicated`. */
function inferAxis(name: string, rule: IndexRule, operands: readonly ValueType[], axis: AxisName): string | null {
  const state = (index: number): AxisState => stateOf(operands[index]!.states, axis);
  const label = (index: number): string | undefined => {
    const found = state(index);
    return typeof found === 'number' ? rule.operands[index]![found] : undefined;
  };
  let only: string | undefined;
  let anyPartial = false;
  for (let index = 0; index < operands.length; index++) {
    anyPartial ||= state(index) === 'partial';
    const found = label(index);
    if (found === undefined) continue;
    if (only !== undefined && only !== found)
      throw invalid(`${name}, axis ${axis}`, 'one sharded dimension', `${only} and ${found}`);
    only = found;
  }
  if (only === undefined && !anyPartial) return null;
  const place = `${name}, axis ${axis}`;
  if (only !== undefined) {
    if (anyPartial) throw invalid(place, `no partial operand beside one sharded over ${only}`, 'a partial operand');
    for (let index = 0; index < operands.length; index++) {
      if (label(index) !== only && rule.operands[index]!.includes(only)) {
        throw invalid(place, `operand ${index} sharded over ${only}`, String(state(index)));
      }
    }
    return only;
  }
  const partial = operands.flatMap((_, index) => (state(index) === 'partial' ? [index] : []));
  const { linear } = rule;
  const allowed =
    linear === 'joint'
      ? partial.length === operands.length
      : partial.length === 1 && linear?.includes(partial[0]!) === true;
  if (!allowed)
    throw invalid(
      place,
      'operands that are not partial, or an op linear in the partial one',
      `partial operands ${partial.join(', ')}`,
    );
  return 'partial';
}

/** Result types by an index rule. */
export function inferByRule(name: string, rule: IndexRule, operands: readonly ValueType[], mesh: Mesh): ValueType[] {
  if (operands.length !== rule.operands.length)
    throw invalid(name, `${rule.operands.length} operands`, String(operands.length));
  const sizes = new Map<string, number>();
  for (const [index, operand] of operands.entries()) {
    const labels = rule.operands[index]!;
    if (operand.stack !== undefined) throw invalid(name, 'single tensors', `operand ${index} is a stack`);
    if (operand.shape.length !== labels.length)
      throw invalid(name, `operand ${index} of rank ${labels.length}`, `[${operand.shape.join(',')}]`);
    if (operand.dtype !== operands[0]!.dtype)
      throw invalid(name, `operand ${index} of ${operands[0]!.dtype}`, operand.dtype);
    for (const [dimension, label] of labels.entries()) {
      const size = operand.shape[dimension]!;
      if (rule.uneven?.includes(label)) continue;
      const known = sizes.get(label);
      if (known === undefined) sizes.set(label, size);
      else if (known !== size) throw invalid(name, `size ${known} for ${label}`, `${size} in operand ${index}`);
    }
  }
  const byAxis = mesh.axes.map(({ name: axis }) => inferAxis(name, rule, operands, axis));
  return rule.results.map((labels, index) => {
    const states: { -readonly [A in AxisName]?: number | 'partial' } = {};
    for (const [at, { name: axis }] of mesh.axes.entries()) {
      const found = byAxis[at]!;
      if (found === null) continue;
      const dimension = labels.indexOf(found);
      if (dimension >= 0) states[axis] = dimension;
      else if (found === 'partial' || rule.summed?.includes(found)) states[axis] = 'partial';
      else throw invalid(`${name}, axis ${axis}`, `dimension ${found} whole on every rank`, 'sharded');
    }
    const shape = labels.map((label) => rule.resultSizes?.[index]?.[label] ?? sizes.get(label)!);
    return { shape, dtype: operands[0]!.dtype, states };
  });
}

const LABELS: (readonly string[])[] = [];

/** Labels `d0 d1 …` for a tensor of the given rank. */
export const labels = (rank: number): readonly string[] =>
  (LABELS[rank] ??= Array.from({ length: rank }, (_, index) => `d${index}`));
/** Labels of a tensor that broadcasts over the leading dimensions of one of rank `rank`. */
export const trailing = (rank: number, length: number): readonly string[] => labels(rank).slice(rank - length);

export const elements = (type: ValueType): number => type.shape.reduce((product, size) => product * size, 1);
export const vector =
  (flopsPerElement: number) =>
  (operands: readonly ValueType[]): Work => ({
    vectorFlops: flopsPerElement * elements(operands[0]!),
  });
