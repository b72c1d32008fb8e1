/** What an op's record says, and the index rules that most of them share for shapes and per-axis states. */
import { MeshwrightError } from '../../errors.js';
import type { AxisState, Mesh } from '../../mesh/index.js';
import { normalizeStates, stateOf } from '../../mesh/index.js';
import type { Op, ValueId, ValueType } from '../types.js';
import type { Attributes, OpName } from './attributes.js';

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

/** The state of the results' labels on one axis: a sharded label, `partial` or `replicated`. */
function inferAxis(name: string, rule: IndexRule, states: readonly AxisState[], axis: string): string | null {
  const place = `${name}, axis ${axis}`;
  const label = (index: number): string | undefined => {
    const state = states[index];
    return typeof state === 'number' ? rule.operands[index]![state] : undefined;
  };
  const sharded = new Set(states.flatMap((_, index) => label(index) ?? []));
  const partial = states.flatMap((state, index) => (state === 'partial' ? [index] : []));
  if (sharded.size > 1) throw invalid(place, 'one sharded dimension', [...sharded].join(' and '));
  const [only] = sharded;
  if (only !== undefined) {
    if (partial.length > 0)
      throw invalid(place, `no partial operand beside one sharded over ${only}`, 'a partial operand');
    rule.operands.forEach((labels, index) => {
      if (labels.includes(only) && label(index) !== only) {
        throw invalid(place, `operand ${index} sharded over ${only}`, String(states[index]));
      }
    });
    return only;
  }
  if (partial.length === 0) return null;
  const { linear } = rule;
  const allowed =
    linear === 'joint'
      ? partial.length === states.length
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
  operands.forEach((operand, index) => {
    const labels = rule.operands[index]!;
    if (operand.stack !== undefined) throw invalid(name, 'single tensors', `operand ${index} is a stack`);
    if (operand.shape.length !== labels.length)
      throw invalid(name, `operand ${index} of rank ${labels.length}`, `[${operand.shape.join(',')}]`);
    if (operand.dtype !== operands[0]!.dtype)
      throw invalid(name, `operand ${index} of ${operands[0]!.dtype}`, operand.dtype);
    labels.forEach((label, dimension) => {
      const size = operand.shape[dimension]!;
      if (rule.uneven?.includes(label)) return;
      if ((sizes.get(label) ?? size) !== size)
        throw invalid(name, `size ${sizes.get(label)} for ${label}`, `${size} in operand ${index}`);
      sizes.set(label, size);
    });
  });
  const byAxis = mesh.axes.map(({ name: axis }) => ({
    axis,
    found: inferAxis(
      name,
      rule,
      operands.map((operand) => stateOf(operand.states, axis)),
      axis,
    ),
  }));
  return rule.results.map((labels, index) => {
    const states = Object.fromEntries(
      byAxis.map(({ axis, found }) => {
        if (found === null) return [axis, 'replicated'];
        if (found === 'partial') return [axis, 'partial'];
        const dimension = labels.indexOf(found);
        if (dimension >= 0) return [axis, dimension];
        if (rule.summed?.includes(found)) return [axis, 'partial'];
        throw invalid(`${name}, axis ${axis}`, `dimension ${found} whole on every rank`, 'sharded');
      }),
    );
    const shape = labels.map((label) => rule.resultSizes?.[index]?.[label] ?? sizes.get(label)!);
    return { shape, dtype: operands[0]!.dtype, states: normalizeStates(mesh, states) };
  });
}

/** Labels `d0 d1 …` for a tensor of the given rank. */
export const labels = (rank: number): string[] => Array.from({ length: rank }, (_, index) => `d${index}`);
/** Labels of a tensor that broadcasts over the leading dimensions of one of rank `rank`. */
export const trailing = (rank: number, length: number): string[] => labels(rank).slice(rank - length);

export const elements = (type: ValueType): number => type.shape.reduce((product, size) => product * size, 1);
export const vector =
  (flopsPerElement: number) =>
  (operands: readonly ValueType[]): Work => ({
    vectorFlops: flopsPerElement * elements(operands[0]!),
  });
