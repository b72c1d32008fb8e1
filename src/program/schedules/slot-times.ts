/** What slots and transfers take: as it is asked for, and read into tables. */
import type { Compiled } from './compiled.js';
import { classOf, KINDS } from './compiled.js';
import type { ScheduleShape, SlotKind } from './schedule.js';
import { placeOf, virtualStage, virtualStageCount } from './schedule.js';

/**
 * What slots and transfers take, in seconds or in ticks: results come in the same. Each is asked for once, since all
 * microbatches take the same.
 */
export interface SlotTimes<T extends number> {
  slot(stage: number, kind: SlotKind, chunk: number): T;
  /** The same of the last microbatch's, where that differs: gradients may be reduced beside it. */
  last?(stage: number, kind: SlotKind, chunk: number): T;
  /**
   * From the end of the slot that makes a product to when a neighbour on another stage can begin with it. Below 0 where
   * both slots have the time of bringing it there in their own: by so much they may overlap.
   */
  transfer(from: number, to: number): T;
}

/** What one microbatch takes on one virtual stage. */
export interface StageTimes<T extends number> {
  readonly forward: T;
  readonly backwardInput: T;
  readonly backwardWeight: T;
  /** To send its output on, or the gradient of its input back. */
  readonly transfer: T;
}

/** @param byVirtualStage one for each virtual stage, or one for all of them */
export function slotTimes<T extends number>(
  shape: ScheduleShape,
  byVirtualStage: readonly StageTimes<T>[] | StageTimes<T>,
): SlotTimes<T> {
  const of = (virtual: number) => ('forward' in byVirtualStage ? byVirtualStage : byVirtualStage[virtual]!);
  return {
    slot(stage, kind, chunk) {
      const times = of(virtualStage(shape, stage, chunk));
      if (kind === 'forward') return times.forward;
      if (kind === 'backward-input') return times.backwardInput;
      if (kind === 'backward-weight') return times.backwardWeight;
      return (times.backwardInput + times.backwardWeight) as T;
    },
    transfer: (from) => of(from).transfer,
  };
}

/** Whom a transfer that isn't overlapped keeps from computing. */
export type Blocked = 'sender' | 'both';

/** What a slot begins with and ends with where transfers aren't overlapped: what it waits for, and what it sends. */
export function transfersOfSlot<T extends number>(
  shape: ScheduleShape,
  transfer: (from: number, to: number) => T,
  blocked: Blocked,
): (stage: number, kind: SlotKind, chunk: number) => { readonly before: number; readonly after: number } {
  const between = (from: number, to: number): number => {
    const count = virtualStageCount(shape);
    const isInside = Math.min(from, to) >= 0 && Math.max(from, to) < count;
    return isInside && placeOf(shape, from).stage !== placeOf(shape, to).stage ? transfer(from, to) : 0;
  };
  return (stage, kind, chunk) => {
    if (kind === 'backward-weight') return { before: 0, after: 0 };
    const own = virtualStage(shape, stage, chunk);
    const [from, to] = kind === 'forward' ? [own - 1, own + 1] : [own + 1, own - 1];
    return { before: blocked === 'both' ? between(from, own) : 0, after: between(own, to) };
  };
}

/**
 * The same where transfers aren't overlapped with computing: a stage waits until what it sends has arrived. Where both are
 * blocked each send and receive is a call of its own, and a transfer keeps both stages for as long as it takes, the sender
 * after its slot and the receiver before its own: at the same time where the receiver waits for it, otherwise when it comes
 * to it, with which the sender has gone on. Where the sender is blocked, transfers both ways go at once, and what a stage
 * receives comes while it sends.
 */
export function blockingTransfers<T extends number>(
  shape: ScheduleShape,
  times: SlotTimes<T>,
  blocked: Blocked = 'sender',
): SlotTimes<T> {
  const transfers = transfersOfSlot(shape, (from, to) => times.transfer(from, to), blocked);
  const with_ = (computing: T, ...slot: Parameters<typeof transfers>): T => {
    const { before, after } = transfers(...slot);
    return (before + computing + after) as T;
  };
  return {
    slot: (...slot) => with_(times.slot(...slot), ...slot),
    ...(times.last === undefined ? {} : { last: (...slot) => with_(times.last!(...slot), ...slot) }),
    // A receiver begins as soon as the sender has made what it sends, which is before the sender's slot ends.
    transfer: (from, to) => (blocked === 'both' ? 0 - times.transfer(from, to) : 0) as T,
  };
}

export interface TimeTables {
  /** By stage and class. */
  readonly duration: (stage: number, own: number) => number;
  /** The same in the last microbatch. */
  readonly lastDuration: (stage: number, own: number) => number;
  /** Whether the two differ anywhere. */
  readonly lastApart: boolean;
  /** From the end of the sender of its input to a slot of a stage and class; 0 where it waits for no other stage. */
  readonly transfer: (stage: number, own: number) => number;
  /** Whether all times are whole numbers. */
  readonly whole: boolean;
}

/** Asks for what a schedule, or one still without weight gradients, takes. */
export function readTimes<T extends number>({ schedule, offsets, classes }: Compiled, times: SlotTimes<T>): TimeTables {
  const { stages, chunks } = schedule;
  const width = chunks * KINDS.length;
  const last = virtualStageCount(schedule) - 1;
  const durations = new Float64Array(stages * width);
  const lastDurations = new Float64Array(stages * width);
  const transfers = new Float64Array(stages * width);
  const asked = new Uint8Array(stages * width);
  const between = (from: number, to: number): number => {
    if (from < 0 || from > last || placeOf(schedule, from).stage === placeOf(schedule, to).stage) return 0;
    return times.transfer(from, to);
  };
  for (let stage = 0; stage < stages; stage++) {
    for (let i = offsets[stage]!; i < offsets[stage + 1]!; i++) asked[stage * width + classes[i]!] = 1;
    for (let chunk = 0; chunk < chunks; chunk++) {
      const virtual = virtualStage(schedule, stage, chunk);
      const arrivals: Record<SlotKind, () => number> = {
        forward: () => between(virtual - 1, virtual),
        backward: () => between(virtual + 1, virtual),
        'backward-input': () => between(virtual + 1, virtual),
        'backward-weight': () => 0,
      };
      for (const kind of KINDS) {
        const at = stage * width + classOf(chunk, kind);
        const split = kind === 'backward-weight' && asked[stage * width + classOf(chunk, 'backward-input')];
        if (!asked[at] && !split) continue;
        durations[at] = times.slot(stage, kind, chunk);
        lastDurations[at] = times.last === undefined ? durations[at]! : times.last(stage, kind, chunk);
        transfers[at] = arrivals[kind]();
      }
    }
  }
  return {
    duration: (stage, own) => durations[stage * width + own]!,
    lastDuration: (stage, own) => lastDurations[stage * width + own]!,
    lastApart: durations.some((duration, at) => duration !== lastDurations[at]),
    transfer: (stage, own) => transfers[stage * width + own]!,
    whole:
      durations.every(Number.isInteger) && lastDurations.every(Number.isInteger) && transfers.every(Number.isInteger),
  };
}
