/**
 * What chips wait for each other where they should meet: in collectives, and at the end of a step. No two take quite the
 * same time for the same work, and more ranks than cores are not there at once: the others wait for the last.
 */
import { probit } from 'simple-statistics';
import type { Seconds } from '../src/units.js';
import { seconds } from '../src/units.js';
import type { Ticks } from './engine/index.js';
import { toSeconds } from './engine/index.js';
import type { Waits } from './machine/index.js';

/** By how many standard deviations the last of so many is behind their mean, if they are normal (Blom 1958). */
const lateness = (ranks: number): number => (ranks < 2 ? 0 : probit((ranks - 0.375) / (ranks + 0.25)));

/** The mean over ranks. */
export const waitAfter = ({ start, share }: Waits, computed: Seconds): Seconds => seconds(start + share * computed);

/** What of a plan's steps it hangs on. */
export type MeetingStep =
  | { readonly kind: 'kernel'; readonly duration: Ticks }
  | { readonly kind: 'collective'; readonly index: number }
  | { readonly kind: 'move' | 'join' | 'element' }
  | { readonly kind: 'manual'; readonly steps: readonly MeetingStep[] }
  | {
      readonly kind: 'repeat';
      readonly count: number;
      readonly ahead?: { readonly steps: readonly MeetingStep[] };
      readonly steps: readonly MeetingStep[];
      /** Those inside. */
      readonly collectives: readonly number[];
    };

/** Walks a program without a clock. */
class Meetings {
  /** By index of collective: what is waited for in all its runs, as if all chips took part. */
  readonly waited = new Map<number, number>();
  readonly #waits: Waits;

  constructor(waits: Waits) {
    this.#waits = waits;
  }

  /**
   * @param since computed since the last meeting
   * @param times how often this comes to pass
   * @returns computed since the last meeting, at the end of the steps
   */
  walk(steps: readonly MeetingStep[], since: number, times: number): number {
    let computed = since;
    for (const step of steps) {
      if (step.kind === 'kernel') computed += toSeconds(step.duration);
      else if (step.kind === 'collective') {
        const wait = waitAfter(this.#waits, seconds(computed));
        this.waited.set(step.index, (this.waited.get(step.index) ?? 0) + times * wait);
        computed = 0;
      } else if (step.kind === 'manual') computed = this.walk(step.steps, computed, times);
      else if (step.kind === 'repeat') {
        const inside = [...(step.ahead?.steps ?? []), ...step.steps];
        // From the second on, iterations begin as the one before has ended.
        const first = this.walk(inside, computed, times);
        if (step.count === 1) computed = first;
        else if (step.collectives.length > 0) computed = this.walk(inside, first, times * (step.count - 1));
        else computed = first + (step.count - 1) * (first - computed);
      }
    }
    return computed;
  }
}

export interface StepWaits {
  /** Of a run of a collective in a group of so many, by its index. */
  inCollective(index: number, ranks: number): Seconds;
  readonly atEnd: Seconds;
}

/**
 * @param steps of a plan without waits
 * @param collectives of the plan, with how often the step runs each
 */
export function waitsIn(
  waits: Waits,
  chips: number,
  steps: readonly MeetingStep[],
  collectives: readonly { readonly times: number }[],
): StepWaits {
  const meetings = new Meetings(waits);
  const left = meetings.walk(steps, 0, 1);
  return {
    inCollective: (index, ranks) => {
      const waited = (meetings.waited.get(index) ?? 0) / collectives[index]!.times;
      return seconds(waited * (lateness(ranks) / lateness(chips)));
    },
    atEnd: waitAfter(waits, seconds(left)),
  };
}
