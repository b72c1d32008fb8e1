/** A chip's memory over the time of a step, by role: few enough points to draw, with every rise and fall that shows. */
import type { MemoryOptions, MemorySample, Program, Role } from '../src/program/index.js';
import { ROLES, memorySamples } from '../src/program/index.js';
import { toSeconds } from './engine/index.js';
import type { Occurrence } from './folded.js';

export interface MemoryPoint {
  /** From the start of the step: when a kernel starts, or a collective is issued. */
  readonly seconds: number;
  /** What is live from then on, at its highest until the next kernel or collective. */
  readonly totalBytes: number;
  /** Adds up to `totalBytes`. */
  readonly bytesByRole: Readonly<Record<Role, number>>;
  /** The op at which that is reached. */
  readonly opId: string;
}

const pointOf = ({ opId, totalBytes, liveBytes }: MemorySample, seconds: number): MemoryPoint => ({
  seconds,
  totalBytes,
  bytesByRole: Object.fromEntries(ROLES.map((role, index) => [role, liveBytes[index]!])) as Record<Role, number>,
  opId,
});

/**
 * The step is cut into equal spans of time, of each of which the highest and the lowest are kept: so the peak is, and
 * every rise above its neighbours that lasts or stands out.
 *
 * @param options as the step's peak was found with
 * @param spans into how many; there are up to twice as many points, and one for the start
 */
export function memoryTimeline(
  program: Program,
  occurrences: readonly Occurrence[],
  stepSeconds: number,
  options: MemoryOptions,
  spans = 128,
): MemoryPoint[] {
  const samples = memorySamples(program, options);
  const timeOf = (index: number): number => (index === 0 ? 0 : toSeconds(occurrences[index - 1]!.issued));
  return thinned(samples, timeOf, stepSeconds, spans);
}

/** As `memoryTimeline`, of samples that are there. @param timeOf seconds of the sample at an index, from 1 on ascending */
export function thinned(
  samples: readonly MemorySample[],
  timeOf: (index: number) => number,
  stepSeconds: number,
  spans = 128,
): MemoryPoint[] {
  const kept = new Set([0]);
  let [span, highest, lowest] = [-1, -1, -1];
  const keep = (): void => {
    if (span < 0) return;
    kept.add(Math.min(highest, lowest)).add(Math.max(highest, lowest));
  };
  for (let index = 1; index < samples.length; index++) {
    const at = Math.min(spans - 1, Math.floor((timeOf(index) / stepSeconds) * spans));
    if (at !== span) {
      keep();
      [span, highest, lowest] = [at, index, index];
    } else {
      if (samples[index]!.totalBytes > samples[highest]!.totalBytes) highest = index;
      if (samples[index]!.totalBytes < samples[lowest]!.totalBytes) lowest = index;
    }
  }
  keep();
  return [...kept].map((index) => pointOf(samples[index]!, timeOf(index)));
}
