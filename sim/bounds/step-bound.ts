/**
 * Lower bounds of a plan's step time and memory from the work of its shape class, without lowering the plan: the
 * simulator never gives less. A chip runs its kernels one after the other and waits for the collectives between them;
 * what runs beside kernels only makes them longer.
 */
import type { ClassWork, Elements, PartWork, PassWork, WaitedCollective } from './class-work.js';

/** Seconds that a chip waits for one of these. */
export type WaitSeconds = (collective: WaitedCollective) => number;

export const NO_WAIT: WaitSeconds = () => 0;

/** What of a pipeline's schedule a bound needs. */
export interface StagesShape {
  /** Layers of each virtual stage, in the order of the model. */
  readonly layers: readonly number[];
  /** Of each stage its virtual stages. */
  readonly placement: readonly (readonly number[])[];
  /** Whether gradients of weights have slots of their own, which may wait. */
  readonly splitBackward: boolean;
  /** By stage, how many microbatches it is sure to hold at once, counted in each of its virtual stages. */
  readonly held: (stage: number) => number;
}

/** Bytes that a chip keeps of each element of its parameters. */
export interface StateBytes {
  /** All the time: parameters and optimizer state. */
  readonly kept: number;
  /** Copies in the type that they are used in, of those that are cast before. */
  readonly copies: number;
  /** Sums of gradients. */
  readonly gradients: number;
  /** What the update reads and writes. */
  readonly moved: number;
}

/** What is sent over the axis that a batch is split over, whose collectives take turns. Seconds of one layer. */
export interface LayerTraffic {
  /** Of its gradients, once a step: in the last microbatch's backward pass, or after it. */
  readonly last: number;
  readonly when: 'meanwhile' | 'after';
  /** Of its gradients and parameters, for each microbatch. */
  readonly each: number;
}

export const NO_TRAFFIC: LayerTraffic = { last: 0, when: 'meanwhile', each: 0 };

export interface StepShape {
  readonly microbatches: number;
  /** Where the mesh has stages. */
  readonly stages?: StagesShape;
  readonly state: StateBytes;
  /** Bytes per second through a chip's memory, at most. */
  readonly memoryRate: number;
  /** Before a step, of the host. */
  readonly hostSeconds: number;
}

export interface StepBound {
  readonly seconds: number;
  readonly bytes: number;
}

/** Ticks are rounded for each kernel: a step of very short ones may come out shorter by as much. */
const ROUNDING = 1 - 1e-5;

interface PassSeconds {
  readonly forward: number;
  readonly backward: number;
}

function passSeconds({ seconds, collectives }: PassWork, wait: WaitSeconds): number {
  return collectives.reduce((sum, one) => sum + one.count * wait(one), seconds);
}

const partSeconds = ({ forward, backward }: PartWork, wait: WaitSeconds): PassSeconds => ({
  forward: passSeconds(forward, wait),
  backward: passSeconds(backward, wait),
});

const both = ({ forward, backward }: PassSeconds): number => forward + backward;

/** Of a layer, whichever it is. */
function leastLayer(work: ClassWork, wait: WaitSeconds): PassSeconds & { readonly keptBytes: number } {
  const all = work.layers.map((layers) => partSeconds(layers, wait));
  return {
    forward: Math.min(...all.map(({ forward }) => forward)),
    backward: Math.min(...all.map(({ backward }) => backward)),
    keptBytes: Math.min(...work.layers.map(({ keptBytes }) => keptBytes)),
  };
}

export function stepBound(
  work: ClassWork,
  shape: StepShape,
  wait: WaitSeconds,
  traffic: LayerTraffic = NO_TRAFFIC,
): StepBound {
  return shape.stages === undefined
    ? wholeBound(work, shape, wait, traffic)
    : stagedBound(work, shape, shape.stages, wait, traffic);
}

/** What a last backward pass and the reductions that begin in it, or come after it, take together. */
const withReductions = (backward: number, reductions: number, { when }: LayerTraffic): number =>
  when === 'after' ? backward + reductions : Math.max(backward, reductions);

/** With sums of gradients beside a microbatch's activations where there are several microbatches. */
function peakBytes({ all, cast }: Elements, kept: number, { microbatches, state, stages }: StepShape): number {
  const gradients = all * state.gradients;
  const beside = microbatches > 1 || stages !== undefined;
  return all * state.kept + cast * state.copies + (beside ? gradients + kept : Math.max(gradients, kept));
}

const scaled = ({ all, cast }: Elements, by: number): Elements => ({ all: all * by, cast: cast * by });

function wholeBound(work: ClassWork, shape: StepShape, wait: WaitSeconds, traffic: LayerTraffic): StepBound {
  const { microbatches, state, memoryRate, hostSeconds } = shape;
  const parts = [
    ...work.layers.map((one) => ({ count: one.count, ...partSeconds(one, wait) })),
    ...[work.embedding, work.head].map((one) => ({ count: 1, ...partSeconds(one, wait) })),
  ];
  const forward = parts.reduce((sum, one) => sum + one.count * one.forward, 0);
  const backward = parts.reduce((sum, one) => sum + one.count * one.backward, 0);
  const layers = work.layers.reduce((sum, { count }) => sum + count, 0);
  const passes =
    (microbatches - 1) * (forward + backward) + forward + withReductions(backward, layers * traffic.last, traffic);
  const { layerElements, endElements } = work;
  const elements = { all: layerElements.all + endElements.all, cast: layerElements.cast + endElements.cast };
  const update = (elements.all * state.moved) / memoryRate;
  const kept = work.layers.reduce((sum, { count, keptBytes }) => sum + count * keptBytes, 0);
  return {
    seconds: hostSeconds + ROUNDING * Math.max(passes + update, microbatches * layers * traffic.each),
    bytes: peakBytes(elements, kept, shape),
  };
}

/**
 * A stage can't begin before the first microbatch has come through the virtual stages before its first one, and works on
 * all microbatches one after the other; then the last cotangent has to go back through those stages to the first, which
 * has begun with the step. Where gradients of weights wait, a stage's own work is all that is sure.
 */
function stagedBound(
  work: ClassWork,
  shape: StepShape,
  stages: StagesShape,
  wait: WaitSeconds,
  traffic: LayerTraffic,
): StepBound {
  const { microbatches, state, memoryRate, hostSeconds } = shape;
  const { layers, placement, splitBackward, held } = stages;
  const layer = leastLayer(work, wait);
  const [embedding, head] = [partSeconds(work.embedding, wait), partSeconds(work.head, wait)];
  const last = layers.length - 1;
  const virtual = layers.map((count, index): number => {
    const ends = (index === 0 ? both(embedding) : 0) + (index === last ? both(head) : 0);
    return count * both(layer) + ends;
  });
  const before: number[] = [0];
  virtual.forEach((seconds, index) => before.push(before[index]! + seconds));
  const perLayer = 1 / work.layers.reduce((sum, { count }) => sum + count, 0);
  const updateOf = (stage: number): number => {
    const own = placement[stage]!.reduce((sum, index) => sum + layers[index]!, 0);
    return (own * perLayer * work.layerElements.all * state.moved) / memoryRate;
  };
  /** By how much reductions make a virtual stage's last backward longer. */
  const addedOf = (index: number): number => {
    if (splitBackward) return 0;
    const backward = layers[index]! * layer.backward + (index === 0 ? embedding.backward : 0);
    const whole = backward + (index === last ? head.backward : 0);
    return withReductions(whole, layers[index]! * traffic.last, traffic) - whole;
  };
  let [seconds, bytes] = [0, 0];
  placement.forEach((own, stage) => {
    const busy = microbatches * own.reduce((sum, index) => sum + virtual[index]!, 0);
    // The first stage's last slot is that of the first virtual stage; another's, of its own lowest.
    const lowest = Math.min(...own);
    if (!splitBackward) seconds = Math.max(seconds, busy + before[lowest]! + addedOf(0) + updateOf(0));
    seconds = Math.max(seconds, busy + addedOf(lowest) + updateOf(stage));
    const count = own.reduce((sum, index) => sum + layers[index]!, 0);
    seconds = Math.max(seconds, microbatches * count * traffic.each);
    const least = Math.min(...own.map((index) => layers[index]!));
    // When the first backward begins, the forwards of its microbatch were done in all of them.
    const kept = Math.max(count, held(stage) * least) * layer.keptBytes;
    bytes = Math.max(bytes, peakBytes(scaled(work.layerElements, count * perLayer), kept, shape));
  });
  return { seconds: hostSeconds + ROUNDING * seconds, bytes };
}
