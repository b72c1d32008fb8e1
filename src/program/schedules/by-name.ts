/** The schedules by the names that a plan calls them. */
import { MeshwrightError } from '../../errors.js';
import type { Objective } from './automatic.js';
import { leastOfV, zeroBubble1p, zeroBubble2p, zeroBubbleV } from './automatic.js';
import { gpipe, interleaved, oneForwardOneBackward, zeroBubbleH1, zeroBubbleH2 } from './orders.js';
import type { Memory } from './place-weights.js';
import type { Placement, Schedule } from './schedule.js';
import type { SlotTimes } from './slot-times.js';

export interface ScheduleRequest<T extends number> {
  readonly stages: number;
  readonly microbatches: number;
  /** Virtual stages a stage. */
  readonly chunks: number;
  /** What zero-bubble orders go by; the others don't ask. */
  readonly times: SlotTimes<T>;
  /** What a stage may keep, where not as much as the schedule is known for: only for zb-1p, zb-2p and zb-v. */
  readonly memory?: Memory<number>;
  readonly objective?: Objective;
  /** Whether stages wait until what they send has arrived; not unless given. */
  readonly blocking?: boolean;
}

interface Entry {
  /** How many chunks there can be, in words for a person. */
  readonly chunks: string;
  readonly fewest: number;
  readonly most: number;
  readonly placement: Placement;
  /** Whether the gradients of weights have slots of their own. */
  readonly splitsBackward: boolean;
  /** Where its order is found from what is kept: how few microbatches `memory` can limit that to. */
  readonly leastMemory?: (stages: number, microbatches: number) => number;
  create<T extends number>(request: ScheduleRequest<T>): Schedule;
}

const whole = { placement: 'interleaved', splitsBackward: false } as const;
const one = { ...whole, chunks: '1', fewest: 1, most: 1 } as const;
const split = { ...one, splitsBackward: true } as const;
const found = { ...split, leastMemory: () => 1 } as const;

const ENTRIES = {
  gpipe: { ...one, create: ({ stages, microbatches }) => gpipe(stages, microbatches) },
  '1f1b': { ...one, create: ({ stages, microbatches }) => oneForwardOneBackward(stages, microbatches) },
  'interleaved-1f1b': {
    ...whole,
    chunks: 'at least 2',
    fewest: 2,
    most: Infinity,
    create: ({ stages, microbatches, chunks }) => interleaved(stages, microbatches, chunks),
  },
  'zb-h1': { ...split, create: ({ stages, microbatches }) => zeroBubbleH1(stages, microbatches) },
  'zb-h2': { ...split, create: ({ stages, microbatches }) => zeroBubbleH2(stages, microbatches) },
  'zb-1p': { ...found, create: ({ stages, microbatches, ...aim }) => zeroBubble1p(stages, microbatches, aim) },
  'zb-2p': { ...found, create: ({ stages, microbatches, ...aim }) => zeroBubble2p(stages, microbatches, aim) },
  'zb-v': {
    ...found,
    chunks: '2',
    fewest: 2,
    most: 2,
    placement: 'v',
    leastMemory: leastOfV,
    create: ({ stages, microbatches, ...aim }) => zeroBubbleV(stages, microbatches, aim),
  },
} as const satisfies Record<string, Entry>;

export type ScheduleName = keyof typeof ENTRIES;
export const SCHEDULE_NAMES = Object.keys(ENTRIES) as ScheduleName[];

export const placementOf = (name: ScheduleName): Placement => ENTRIES[name].placement;
export const splitsBackward = (name: ScheduleName): boolean => ENTRIES[name].splitsBackward;
/** The least microbatches that a stage's activations can be limited to; undefined where the order leaves no choice. */
export function leastMemory(name: ScheduleName, stages: number, microbatches: number): number | undefined {
  const entry: Entry = ENTRIES[name];
  return entry.leastMemory?.(stages, microbatches);
}
/** Virtual stages a stage, at the least. */
export const fewestChunks = (name: ScheduleName): number => ENTRIES[name].fewest;

/** How many chunks a schedule can have, in words, unless it can have that many. */
export function refusedChunks(name: ScheduleName, chunks: number): string | undefined {
  const { fewest, most, chunks: words } = ENTRIES[name];
  return Number.isInteger(chunks) && chunks >= fewest && chunks <= most ? undefined : `${words} for ${name}`;
}

/** @throws MeshwrightError PLAN_INVALID where the schedule can't have that many chunks */
export function createSchedule<T extends number>(name: ScheduleName, request: ScheduleRequest<T>): Schedule {
  const expected = refusedChunks(name, request.chunks);
  if (expected !== undefined)
    throw new MeshwrightError('PLAN_INVALID', { place: 'schedule.chunks', expected, got: String(request.chunks) });
  const schedule = ENTRIES[name].create(request);
  return request.blocking === true ? { ...schedule, blocking: true } : schedule;
}
