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
  /** Read and written where a microbatch's gradient is added to those before, in a pass of its own. */
  readonly summed: number;
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
  /** Of its gradients. */
  readonly reduce: number;
  /** For each microbatch, which waits for it to go on, or once a step in the last one's backward pass. */
  readonly how: 'each' | 'once';
  /** Beside a backward pass; in it, the chip waiting for each layer's; or after it. */
  readonly when: 'meanwhile' | 'inside' | 'after';
  /** Of its parameters, for each microbatch in both of its passes. */
  readonly gather: number;
  /** Of that, what the passes wait for. */
  readonly gatherWait: number;
  /** Of the copies of its parameters that a stage of a pipeline makes before it begins. */
  readonly copy: number;
}

export const NO_TRAFFIC: LayerTraffic = {
  reduce: 0,
  how: 'once',
  when: 'meanwhile',
  gather: 0,
  gatherWait: 0,
  copy: 0,
};

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
export const ROUNDING = 1 - 1e-5;

interface PassSeconds {
  readonly forward: number;
  readonly backward: number;
}

const total = (collectives: readonly WaitedCollective[], wait: WaitSeconds): number =>
  collectives.reduce((sum, one) => sum + one.count * wait(one), 0);

const passSeconds = ({ seconds, collectives }: PassWork, wait: WaitSeconds): number =>
  seconds + total(collectives, wait);

export const partSeconds = ({ forward, backward }: PartWork, wait: WaitSeconds): PassSeconds => ({
  forward: passSeconds(forward, wait),
  backward: passSeconds(backward, wait),
});

/** Of a part's collectives over `model`, one after the other. */
const turnsOf = ({ forward, backward }: PartWork, wait: WaitSeconds): number =>
  [forward, backward]
    .flatMap(({ collectives, beside }) => [...collectives, ...beside])
    .reduce((sum, one) => sum + (one.axis === 'model' ? one.count * wait(one) : 0), 0);

/** Of a layer, whichever it is. */
export function leastLayer(
  work: ClassWork,
  wait: WaitSeconds,
): PassSeconds & { readonly turns: number; readonly keptBytes: number } {
  const all = work.layers.map((layers) => partSeconds(layers, wait));
  return {
    forward: Math.min(...all.map(({ forward }) => forward)),
    backward: Math.min(...all.map(({ backward }) => backward)),
    turns: Math.min(...work.layers.map((layers) => turnsOf(layers, wait))),
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

/** What a backward pass and the reductions that begin in it, or come after it, take together. */
export const withReductions = (backward: number, reductions: number, { when }: LayerTraffic): number =>
  when === 'meanwhile' ? Math.max(backward, reductions) : backward + reductions;

/**
 * With sums of gradients and copies beside a microbatch's activations where there are several microbatches; what only one
 * needs may be gone when its activations are at their most.
 *
 * @param kept activations when its backward pass begins, `most` of them at once
 */
function peakBytes(
  { all, cast }: Elements,
  { kept, most }: { readonly kept: number; readonly most: number },
  { microbatches, state, stages }: StepShape,
): number {
  const [gradients, copies] = [all * state.gradients, cast * state.copies];
  const beside = microbatches > 1 || stages !== undefined;
  return all * state.kept + (beside ? copies + gradients + most : Math.max(copies + Math.max(gradients, kept), most));
}

const scaled = ({ all, cast }: Elements, by: number): Elements => ({ all: all * by, cast: cast * by });
const joined = (...parts: readonly Elements[]): Elements => ({
  all: parts.reduce((sum, { all }) => sum + all, 0),
  cast: parts.reduce((sum, { cast }) => sum + cast, 0),
});

/** What adding up the gradients of what comes after the layers takes: a pass of its own, after that of the layers. */
export const headSums = (
  { lastElements }: ClassWork,
  layers: readonly number[],
  { summed }: StateBytes,
  memoryRate: number,
): number => (layers.at(-1) === 0 ? 0 : (lastElements.all * summed) / memoryRate);

function wholeBound(work: ClassWork, shape: StepShape, wait: WaitSeconds, traffic: LayerTraffic): StepBound {
  const { microbatches, state, memoryRate, hostSeconds } = shape;
  const parts = [...work.layers, ...[work.embedding, work.head].map((one) => ({ count: 1, ...one }))];
  let [forward, backward, turns] = [0, 0, 0];
  for (const part of parts) {
    const taken = partSeconds(part, wait);
    forward += part.count * taken.forward;
    backward += part.count * taken.backward;
    turns += part.count * turnsOf(part, wait);
  }
  const layers = work.layers.reduce((sum, { count }) => sum + count, 0);
  backward += headSums(work, [layers], state, memoryRate);
  const reductions = layers * traffic.reduce;
  const reducing = forward + withReductions(backward, reductions, traffic);
  const waits = microbatches * layers * traffic.gatherWait;
  const passes =
    waits + (traffic.how === 'each' ? microbatches * reducing : (microbatches - 1) * (forward + backward) + reducing);
  const { layerElements, endElements } = work;
  const elements = { all: layerElements.all + endElements.all, cast: layerElements.cast + endElements.cast };
  const update = (elements.all * state.moved) / memoryRate;
  const sent = layers * traffic.gather + (traffic.how === 'each' ? reductions : 0);
  const kept = work.layers.reduce((sum, { count, keptBytes }) => sum + count * keptBytes, 0);
  return {
    seconds: hostSeconds + ROUNDING * Math.max(passes + update, microbatches * Math.max(sent, turns)),
    bytes: peakBytes(elements, { kept, most: Math.max(kept, work.activationBytes ?? 0) }, shape),
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
  const headBackward = head.backward + headSums(work, layers, state, memoryRate);
  const backwardOf = (index: number): number =>
    layers[index]! * layer.backward + (index === 0 ? embedding.backward : 0) + (index === last ? headBackward : 0);
  const reducing = (index: number): number =>
    withReductions(backwardOf(index), layers[index]! * traffic.reduce, traffic);
  const virtual = layers.map((count, index): number => {
    const forward = count * layer.forward + (index === 0 ? embedding.forward : 0) + (index === last ? head.forward : 0);
    return forward + count * traffic.gatherWait + (traffic.how === 'each' ? reducing(index) : backwardOf(index));
  });
  const before: number[] = [0];
  virtual.forEach((seconds, index) => before.push(before[index]! + seconds));
  const perLayer = 1 / work.layers.reduce((sum, { count }) => sum + count, 0);
  const updateOf = (stage: number): number => {
    const own = placement[stage]!.reduce((sum, index) => sum + layers[index]!, 0);
    return (own * perLayer * work.layerElements.all * state.moved) / memoryRate;
  };
  /** By how much reductions make a virtual stage's last backward longer. */
  const addedOf = (index: number): number =>
    splitBackward || traffic.how === 'each' ? 0 : reducing(index) - backwardOf(index);
  /** And a stage's own work, where it waits for them one by one. */
  const addedTo = (stage: number, lowest: number): number =>
    traffic.when !== 'meanwhile' && traffic.how === 'once' ? layersOf(stage) * traffic.reduce : addedOf(lowest);
  const layersOf = (stage: number): number => placement[stage]!.reduce((sum, index) => sum + layers[index]!, 0);
  let [seconds, bytes] = [0, 0];
  placement.forEach((own, stage) => {
    const count = layersOf(stage);
    const busy = microbatches * own.reduce((sum, index) => sum + virtual[index]!, 0);
    // The first stage's last slot is that of the first virtual stage; another's, of its own lowest.
    const lowest = Math.min(...own);
    if (!splitBackward)
      seconds = Math.max(seconds, layersOf(0) * traffic.copy + busy + before[lowest]! + addedOf(0) + updateOf(0));
    seconds = Math.max(seconds, count * traffic.copy + busy + addedTo(stage, lowest) + updateOf(stage));
    const sent = traffic.gather + (traffic.how === 'each' ? traffic.reduce : 0);
    seconds = Math.max(seconds, microbatches * count * Math.max(sent, layer.turns));
    const least = Math.min(...own.map((index) => layers[index]!));
    // When the first backward begins, the forwards of its microbatch were done in all of them.
    const kept = Math.max(count, held(stage) * least) * layer.keptBytes;
    const elements = joined(
      scaled(work.layerElements, count * perLayer),
      ...(own.includes(0) ? [work.firstElements] : []),
      ...(own.includes(last) ? [work.lastElements] : []),
    );
    bytes = Math.max(bytes, peakBytes(elements, { kept, most: kept }, shape));
  });
  return { seconds: hostSeconds + ROUNDING * seconds, bytes };
}
