/**
 * A lower bound of a pipeline's step from its schedule: the order is known, so slots that take no longer than they do put
 * the first stage's last one no later than it comes.
 */
import type { Blocked, ScheduleName, SlotKind, SlotTimes } from '../../src/program/schedules/index.js';
import {
  blockingTransfers,
  createSchedule,
  placementOf,
  timeline,
  virtualStage,
} from '../../src/program/schedules/index.js';
import type { Ticks } from '../engine/index.js';
import { TICKS_PER_SECOND, ticks } from '../engine/index.js';
import type { ClassWork } from './class-work.js';
import type { LayerTraffic, StagesShape, StepShape, WaitSeconds } from './step-bound.js';
import { ROUNDING, headSums, leastLayer, partSeconds, withReductions } from './step-bound.js';

/** A schedule whose order does not hang on what its slots take. */
export interface KnownOrder {
  readonly name: ScheduleName;
  readonly chunks: number;
  /** What a transfer from a virtual stage to a neighbour on another stage takes. */
  readonly transfer: (from: number, to: number) => Ticks;
  /** Who is kept by it, where it isn't overlapped. */
  readonly blocked?: Blocked;
}

const toTicksBelow = (seconds: number): Ticks => ticks(Math.floor(seconds * ROUNDING * TICKS_PER_SECOND));

/** @returns seconds */
export function scheduledBound(
  work: ClassWork,
  { microbatches, state, memoryRate, hostSeconds }: StepShape,
  { layers, placement }: StagesShape,
  wait: WaitSeconds,
  traffic: LayerTraffic,
  { name, chunks, transfer, blocked }: KnownOrder,
): number {
  const layer = leastLayer(work, wait);
  const [embedding, head] = [partSeconds(work.embedding, wait), partSeconds(work.head, wait)];
  const last = layers.length - 1;
  const forwardOf = (index: number): number =>
    layers[index]! * (layer.forward + traffic.gatherWait / 2) +
    (index === 0 ? embedding.forward : 0) +
    (index === last ? head.forward : 0);
  const computing = (index: number): number =>
    layers[index]! * (layer.backward + traffic.gatherWait / 2) +
    (index === 0 ? embedding.backward : 0) +
    (index === last ? head.backward + headSums(work, layers, state, memoryRate) : 0);
  const reducing = (index: number): number =>
    withReductions(computing(index), layers[index]! * traffic.reduce, traffic);
  const backwardOf = traffic.how === 'each' ? reducing : computing;

  const stages = placement.length;
  const shape = { stages, chunks, placement: placementOf(name) };
  const forwards = layers.map((_, index) => toTicksBelow(forwardOf(index)));
  const backwards = layers.map((_, index) => toTicksBelow(backwardOf(index)));
  const lasts = traffic.when === 'inside' ? layers.map((_, index) => toTicksBelow(reducing(index))) : backwards;
  const slotIn =
    (others: readonly Ticks[]) =>
    (stage: number, kind: SlotKind, chunk: number): Ticks =>
      (kind === 'forward' ? forwards : others)[virtualStage(shape, stage, chunk)]!;
  const plain: SlotTimes<Ticks> = { slot: slotIn(backwards), last: slotIn(lasts), transfer };
  const times = blocked === undefined ? plain : blockingTransfers(shape, plain, blocked);
  const copies = placement.map((own) => own.reduce((sum, index) => sum + layers[index]!, 0) * traffic.copy);
  const schedule = createSchedule(name, { stages, microbatches, chunks, times });
  const found = timeline(schedule, times, { begin: (stage) => toTicksBelow(copies[stage]!) });

  /** What of the reductions is left after the last slot. */
  const restOf = (): number => (traffic.when === 'after' ? own * traffic.reduce : reducing(0) - computing(0));
  const total = work.layers.reduce((sum, { count }) => sum + count, 0);
  const own = placement[0]!.reduce((sum, index) => sum + layers[index]!, 0);
  const update = ((own / total) * work.layerElements.all * state.moved) / memoryRate;
  const reduced = traffic.how === 'each' || traffic.when === 'inside' ? 0 : restOf();
  return hostSeconds + found.stages[0]!.end / TICKS_PER_SECOND + ROUNDING * (reduced + update);
}
