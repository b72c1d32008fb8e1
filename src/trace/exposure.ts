/**
 * What each span of a rank adds to its step. Kernels and the host follow each other and add all of their time. A
 * collective adds what it takes while neither works, its exposed time; where several run then, the time is that of the
 * one which began first. So added up, the spans of a rank are the time in which anything of it went on.
 */
import type { Seconds } from '../units.js';
import type { Span } from './trace.js';

/** In seconds, or in whatever time is counted. */
interface Timed<T extends number> {
  readonly kind: Span['kind'];
  readonly start: T;
  readonly end: T;
}

/** @returns for each span of one rank's step, in their order, what it adds, in the unit of its times */
export function exposedTimes<T extends number>(spans: readonly Timed<T>[]): T[] {
  const exposed = spans.map(() => 0);
  const indices = spans.map((_, index) => index);
  const starts = indices.toSorted((a, b) => spans[a]!.start - spans[b]!.start);
  const ends = indices.toSorted((a, b) => spans[a]!.end - spans[b]!.end);
  /** Collectives that run, in the order they began. */
  const running: number[] = [];
  let working: number | undefined;
  let counted = 0;
  const count = (time: number): void => {
    const first = working ?? running[0];
    if (first !== undefined) exposed[first]! += time - counted;
    counted = time;
  };
  let next = 0;
  for (const ending of ends) {
    for (; next < starts.length && spans[starts[next]!]!.start <= spans[ending]!.end; next++) {
      const index = starts[next]!;
      count(spans[index]!.start);
      if (spans[index]!.kind === 'collective') running.push(index);
      else working = index;
    }
    count(spans[ending]!.end);
    if (spans[ending]!.kind === 'collective') running.splice(running.indexOf(ending), 1);
    else if (working === ending) working = undefined;
  }
  return exposed as T[];
}

/**
 * What of a step's communication no kernel hides, in seconds: the mean over all ranks, and that of the rank with most. In a
 * pipeline a stage that waits for another one, which sends nothing yet, does not communicate.
 */
export function exposedCommunication(spansByRank: readonly (readonly Timed<Seconds>[])[]): {
  readonly exposedCommunicationSeconds: number;
  readonly worstExposedCommunicationSeconds: number;
} {
  const byRank = spansByRank.map((spans) => {
    const exposed = exposedTimes(spans);
    return spans.reduce((total, { kind }, index) => (kind === 'collective' ? total + exposed[index]! : total), 0);
  });
  return {
    exposedCommunicationSeconds: byRank.reduce((total, one) => total + one, 0) / byRank.length,
    worstExposedCommunicationSeconds: Math.max(...byRank),
  };
}
