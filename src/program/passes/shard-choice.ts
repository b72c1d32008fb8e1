/** Which tensors a plan shards beyond what the model's own sharding says, and along which dimensions. */
import type { AxisName, Mesh } from '../../mesh/index.js';
import { axisSize, dealOrder, globalShape, stateOf, sumOrder, withState } from '../../mesh/index.js';
import type { ParameterInput, Program, ValueType } from '../types.js';
import { elementCount } from '../types.js';

/**
 * Sharded data parallelism (Rajbhandari et al. 2020, "ZeRO"), by what else is sharded:
 * - `optimizer` (stage 1): parameters and optimizer state between steps; gradients are added up whole over microbatches
 *   and dealt out at the end.
 * - `gradients` (stage 2): gradients too, from each microbatch on: the same as stage 1 where there is only one.
 * - `parameters` (stage 3): each layer's parameters are gathered when it runs.
 * In each stage a chip updates its own part alone.
 */
export const SHARD_STAGES = ['optimizer', 'gradients', 'parameters'] as const;
export type ShardStage = (typeof SHARD_STAGES)[number];

/**
 * How many layers ahead a layer's parameters are gathered. 0 leaves gathers where they are used, synchronous; `layer` starts
 * all of a layer's when it is reached, in the order of their use.
 */
export type Prefetch = number | 'layer';

export interface ShardOptions {
  readonly stage: ShardStage;
  /** Axes to shard over; a tensor is sharded over each that it is replicated over and that one of its dimensions divides by. */
  readonly axes: readonly AxisName[];
  /** Names of parameters; all unless given. */
  readonly tensors?: readonly string[];
  /** Smaller tensors (of one layer, whole) stay as they are. */
  readonly minimumElements: number;
  /** How many layers ahead parameters are gathered, in stage 3; 0 gathers them when they are needed. */
  readonly prefetch: Prefetch;
}

/** One more axis over one more dimension. */
export interface Cut {
  readonly axis: AxisName;
  readonly dimension: number;
}

/** By the parameter's name, in the order of sums; absent where a tensor stays as it is. */
export type ShardChoice = ReadonlyMap<string, readonly Cut[]>;

/**
 * The largest dimension that divides and that no axis shards: sharing one ties the axes' gathers together. Where there is
 * none, the largest that earlier cuts shard. Never one that is dealt in segments, whose shards are no neighbours.
 */
function dimensionFor(
  { shape, states }: ValueType,
  size: number,
  segmented: number | undefined,
  cuts: readonly Cut[],
): number | undefined {
  const largest = (taken: ReadonlySet<number | string | undefined>): number | undefined =>
    shape
      .flatMap((local, dimension) => (!taken.has(dimension) && local % size === 0 ? [{ local, dimension }] : []))
      .toSorted((a, b) => b.local - a.local)[0]?.dimension;
  const cutAxes = new Set<string>(cuts.map(({ axis }) => axis));
  const own = Object.entries(states).flatMap(([axis, state]) => (cutAxes.has(axis) ? [] : [state]));
  return largest(new Set([...Object.values(states), segmented])) ?? largest(new Set([...own, segmented]));
}

function cutsOf(mesh: Mesh, type: ValueType, axes: readonly AxisName[], segmented: number | undefined): Cut[] {
  const cuts: Cut[] = [];
  let current = type;
  const dealt = dealOrder(mesh).map(({ name }) => name);
  for (const name of sumOrder(mesh)) {
    if (!axes.includes(name) || stateOf(current.states, name) !== 'replicated') continue;
    // What shares a dimension is dealt in the order of the sums.
    const before = cuts.every(({ axis }) => dealt.indexOf(axis) < dealt.indexOf(name)) ? cuts : [];
    const dimension = dimensionFor(current, axisSize(mesh, name), segmented, before);
    if (dimension === undefined) continue;
    cuts.push({ axis: name, dimension });
    current = cutType(mesh, current, [cuts.at(-1)!]);
  }
  return cuts;
}

/** A value's type with the cuts made. */
export const cutType = (mesh: Mesh, type: ValueType, cuts: readonly Cut[]): ValueType =>
  cuts.reduce<ValueType>(
    (current, { axis, dimension }) => ({
      ...current,
      shape: current.shape.with(dimension, current.shape[dimension]! / axisSize(mesh, axis)),
      states: withState(mesh, current.states, axis, dimension),
    }),
    type,
  );

export function chooseShards(program: Program, { axes, tensors, minimumElements }: ShardOptions): ShardChoice {
  const { mesh } = program;
  const parameters = program.inputs.filter((input): input is ParameterInput => input.kind === 'parameter');
  const chosen = new Map<string, readonly Cut[]>();
  for (const { name, value, segments } of parameters) {
    const { type } = program.values[value]!;
    if (tensors?.includes(name) === false) continue;
    if (elementCount(globalShape(mesh, type.shape, type.states)) < minimumElements) continue;
    const cuts = cutsOf(mesh, type, axes, segments?.dimension);
    if (cuts.length > 0) chosen.set(name, cuts);
  }
  return chosen;
}
