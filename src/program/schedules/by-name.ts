/** The schedules by the names that a plan calls them. */
import { MeshwrightError } from '../../errors.js';
import type { Objective } from './automatic.js';
import { zeroBubble1p, zeroBubble2p, zeroBubbleV } from './automatic.js';
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
}

interface Entry {
  /** How many chunks there can be, in words for a person. */
  readonly chunks: string;
  allows(chunks: number): boolean;
  readonly placement: Placement;
  create<T extends number>(request: ScheduleRequest<T>): Schedule;
}

const one = { chunks: '1', allows: (chunks: number) => chunks === 1, placement: 'interleaved' as const };

const ENTRIES = {
  gpipe: { ...one, create: ({ stages, microbatches }) => gpipe(stages, microbatches) },
  '1f1b': { ...one, create: ({ stages, microbatches }) => oneForwardOneBackward(stages, microbatches) },
  'interleaved-1f1b': {
    chunks: 'at least 2',
    allows: (chunks: number) => Number.isInteger(chunks) && chunks >= 2,
    placement: 'interleaved',
    create: ({ stages, microbatches, chunks }) => interleaved(stages, microbatches, chunks),
  },
  'zb-h1': { ...one, create: ({ stages, microbatches }) => zeroBubbleH1(stages, microbatches) },
  'zb-h2': { ...one, create: ({ stages, microbatches }) => zeroBubbleH2(stages, microbatches) },
  'zb-1p': { ...one, create: ({ stages, microbatches, ...aim }) => zeroBubble1p(stages, microbatches, aim) },
  'zb-2p': { ...one, create: ({ stages, microbatches, ...aim }) => zeroBubble2p(stages, microbatches, aim) },
  'zb-v': {
    chunks: '2',
    allows: (chunks: number) => chunks === 2,
    placement: 'v',
    create: ({ stages, microbatches, ...aim }) => zeroBubbleV(stages, microbatches, aim),
  },
} as const satisfies Record<string, Entry>;

export type ScheduleName = keyof typeof ENTRIES;
export const SCHEDULE_NAMES = Object.keys(ENTRIES) as ScheduleName[];

export const placementOf = (name: ScheduleName): Placement => ENTRIES[name].placement;

/** @throws MeshwrightError PLAN_INVALID where the schedule can't have that many chunks */
export function createSchedule<T extends number>(name: ScheduleName, request: ScheduleRequest<T>): Schedule {
  const entry: Entry = ENTRIES[name];
  if (!entry.allows(request.chunks)) {
    throw new MeshwrightError('PLAN_INVALID', {
      place: 'schedule.chunks',
      expected: `${entry.chunks} for ${name}`,
      got: String(request.chunks),
    });
  }
  return entry.create(request);
}
