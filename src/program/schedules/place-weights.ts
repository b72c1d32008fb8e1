/**
 * Puts weight gradients into an order of forwards and backward-inputs, by what things take: where a stage would idle, or
 * where what it keeps would exceed its limit; the rest at the end. Nobody waits for them, so this is where a bubble is
 * filled. [Qi et al. 2023, §3.1]
 */
import { MeshwrightError } from '../../errors.js';
import type { Kept } from './check.js';
import { classOf, indexSlots, NONE } from './compiled.js';
import { drive } from './drive.js';
import type { Schedule, Slot } from './schedule.js';
import type { SlotTimes } from './slot-times.js';
import { readTimes } from './slot-times.js';

/**
 * Of a gap shorter than a weight gradient: whether to fill it and be late (`always`), to idle (`never`), or to fill it
 * where the stage has idled as long as any (`behind`).
 */
export const SHORT_GAPS = ['never', 'behind', 'always'] as const;
export type ShortGaps = (typeof SHORT_GAPS)[number];

/** What a stage may keep at once, in the unit of `kept`: microbatches of chunks, or bytes. */
export interface Memory<A extends number> {
  limit(stage: number): A;
  kept(stage: number, chunk: number): Kept<A>;
}

/**
 * @param order with no weight gradients yet
 * @throws MeshwrightError PLAN_DOES_NOT_FIT where the order itself keeps more than the limit
 */
export function placeWeights<T extends number, A extends number>(
  order: Schedule,
  times: SlotTimes<T>,
  memory: Memory<A>,
  shortGaps: ShortGaps,
): Schedule {
  const compiled = indexSlots(order);
  const { offsets, classes, stageOf, sender, before } = compiled;
  const { duration, transfer } = readTimes(compiled, times);
  const ends = new Float64Array(classes.length);
  const position = new Int32Array(order.stages);
  const clock = new Float64Array(order.stages);
  const idle = new Float64Array(order.stages);
  const live = new Float64Array(order.stages);
  const limits = order.slots.map((_, stage) => memory.limit(stage));
  const kept = order.slots.map((_, stage) =>
    Array.from({ length: order.chunks }, (__, chunk) => memory.kept(stage, chunk)),
  );
  const slots: Slot[][] = order.slots.map(() => []);
  const waiting: Slot[][] = order.slots.map(() => []);
  const placed = new Int32Array(order.stages);
  const next = (stage: number): Slot | undefined => waiting[stage]![placed[stage]!];
  const weightTime = (stage: number, { chunk }: Slot) => duration(stage, classOf(chunk, 'backward-weight'));
  const place = (stage: number, weight: Slot): void => {
    slots[stage]!.push(weight);
    placed[stage]!++;
    clock[stage]! += weightTime(stage, weight);
    live[stage]! -= kept[stage]![weight.chunk]!.untilWeight;
  };
  const missing = (index: number): boolean => {
    const stage = stageOf[index]!;
    return index - offsets[stage]! >= position[stage]!;
  };
  const makeRoom = (stage: number, size: number): void => {
    while (live[stage]! + size > limits[stage]!) {
      const weight = next(stage);
      if (weight === undefined) {
        throw new MeshwrightError('PLAN_DOES_NOT_FIT', {
          place: `schedule ${order.name}, stage ${stage}`,
          expected: `at most ${limits[stage]} kept for microbatches under way`,
          got: String(live[stage]! + size),
        });
      }
      place(stage, weight);
    }
  };
  const fill = (stage: number, arrival: number): void => {
    for (let weight = next(stage); weight !== undefined; weight = next(stage)) {
      const gap = arrival - clock[stage]!;
      if (gap <= 0) return;
      const fits = gap >= weightTime(stage, weight);
      const behind = () => idle[stage]! + gap > idle.reduce((most, time) => Math.max(most, time), 0);
      if (!fits && (shortGaps === 'never' || (shortGaps === 'behind' && !behind()))) return;
      place(stage, weight);
    }
  };
  const run = (stage: number): number => {
    const index = offsets[stage]! + position[stage]!;
    const from = sender[index]!;
    if (from !== NONE && missing(from)) return from;
    if (before[index] !== NONE && missing(before[index]!)) return before[index]!;
    const slot = order.slots[stage]![position[stage]!]!;
    const own = kept[stage]![slot.chunk]!;
    const arrival = from === NONE ? 0 : ends[from]! + transfer(stage, classes[index]!);
    if (slot.kind === 'forward') makeRoom(stage, own.forward);
    fill(stage, arrival);
    if (position[stage]! > 0) idle[stage]! += Math.max(0, arrival - clock[stage]!);
    clock[stage] = ends[index] = Math.max(clock[stage]!, arrival) + duration(stage, classes[index]!);
    live[stage]! += slot.kind === 'forward' ? own.forward : own.untilWeight - own.forward;
    if (slot.kind !== 'forward') waiting[stage]!.push({ ...slot, kind: 'backward-weight' });
    slots[stage]!.push(slot);
    position[stage]!++;
    return NONE;
  };
  for (let stage = 0; stage < order.stages; stage++) {
    drive(compiled, position, run, stage, offsets[stage + 1]! - offsets[stage]!);
  }
  slots.forEach((list, stage) => list.push(...waiting[stage]!.slice(placed[stage])));
  return { ...order, slots };
}
