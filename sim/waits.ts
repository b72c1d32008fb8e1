/**
 * What chips wait for each other where they should meet: in collectives, and at the end of a step. No two take quite the
 * same time for the same work, and more ranks than cores are not there at once: the others wait for the last. What sets
 * them apart comes and goes, a kernel at a time or a turn on a core, so that how far apart they are is a random walk.
 */
import { probit } from 'simple-statistics';
import type { Lane } from '../src/mesh/index.js';
import type { Seconds } from '../src/units.js';
import { seconds } from '../src/units.js';
import { toSeconds } from './engine/index.js';
import type { Waits } from './machine/index.js';
import type { CollectiveStep, RepeatStep, Step } from './steps.js';

/** By how many standard deviations the last of so many is behind their mean, if they are normal (Blom 1958). */
const lateness = (ranks: number): number => (ranks < 2 ? 0 : probit((ranks - 0.375) / (ranks + 0.25)));

/** The mean over ranks. */
export const waitAfter = ({ start, walk }: Waits, computed: Seconds): Seconds =>
  seconds(start + Math.sqrt(walk * computed));

/**
 * Computed since the members of a group last met, by the axis that it is along: who meets along one has not met those
 * along another. Where none is noted, since the step began.
 */
type Since = ReadonlyMap<Lane, number>;

/** Computed so far, and when chips met last along each axis. */
interface Progress {
  readonly computed: number;
  readonly met: Since;
}

/** Walks a program without a clock. */
class Meetings {
  /** By index of collective: what is waited for in all its runs, as if all chips took part. */
  readonly waited = new Map<number, number>();
  readonly #waits: Waits;

  constructor(waits: Waits) {
    this.#waits = waits;
  }

  /** @param times how often this comes to pass */
  walk(steps: readonly Step[], from: Progress, times: number): Progress {
    let { computed, met } = from;
    for (const step of steps) {
      if (step.kind === 'kernel') computed += toSeconds(step.duration);
      else if (step.kind === 'collective') {
        const wait = waitAfter(this.#waits, seconds(computed - (met.get(step.axis) ?? 0)));
        this.waited.set(step.index, (this.waited.get(step.index) ?? 0) + times * wait);
        met = new Map(met).set(step.axis, computed);
      } else if (step.kind === 'manual') ({ computed, met } = this.walk(step.steps, { computed, met }, times));
      else if (step.kind === 'repeat') ({ computed, met } = this.#repeat(step, { computed, met }, times));
    }
    return { computed, met };
  }

  /** From the second on, iterations begin as the one before has ended. */
  #repeat(step: RepeatStep, from: Progress, times: number): Progress {
    const inside = [...(step.ahead?.steps ?? []), ...step.steps];
    const first = this.walk(inside, from, times);
    if (step.count === 1) return first;
    const second = this.walk(inside, first, times * (step.count - 1));
    const left = (step.count - 2) * (second.computed - first.computed);
    // Who meets in an iteration has met in the last one.
    const met = [...second.met].map(([axis, at]) => [axis, first.met.get(axis) === at ? at : at + left] as const);
    return { computed: second.computed + left, met: new Map(met) };
  }
}

export interface StepWaits {
  /** Of a run of a collective in a group of so many, by its index. */
  inCollective(index: number, ranks: number): Seconds;
  readonly atEnd: Seconds;
}

/** @param plan without waits */
export function waitsIn(
  waits: Waits,
  chips: number,
  { steps, collectives }: { readonly steps: readonly Step[]; readonly collectives: readonly CollectiveStep[] },
): StepWaits {
  const meetings = new Meetings(waits);
  const { computed, met } = meetings.walk(steps, { computed: 0, met: new Map() }, 1);
  // In the end all meet: those along an axis first that have not met for longest.
  const since = met.size === 0 ? computed : Math.max(...[...met.values()].map((at) => computed - at));
  return {
    inCollective: (index, ranks) => {
      const waited = (meetings.waited.get(index) ?? 0) / collectives[index]!.times;
      return seconds(waited * (lateness(ranks) / lateness(chips)));
    },
    atEnd: waitAfter(waits, seconds(since)),
  };
}
