/** A simulated step for a trace file: its spans, what they are started by and wait for, and memory beside them. */
import type { Program } from '../src/program/index.js';
import type { Arrow, CounterSample, TraceProcess } from '../src/trace/index.js';
import { seconds } from '../src/units.js';
import { memoryOptions } from './cost/index.js';
import { toSeconds } from './engine/index.js';
import type { Execution } from './executor.js';
import type { Occurrence } from './folded.js';
import { memoryTimeline } from './memory-timeline.js';

/** Into how many spans of time the memory's course is cut. */
const MEMORY_SPANS = 1000;

/**
 * From what a chip did last before it issued a collective to the collective, and from it to what first waits for it.
 * Those between neighbours that wait for each other anyhow are left out: of synchronous collectives.
 *
 * @returns by index in `occurrences`
 */
function arrowsOf(occurrences: readonly Occurrence[]): Arrow[] {
  const arrows: Arrow[] = [];
  const indexOf: number[] = [];
  const waitedFor = new Set<number>();
  let last: number | undefined;
  occurrences.forEach(({ step, run, after, operands }, index) => {
    for (const awaited of [...after, ...operands]) {
      const from = indexOf[awaited]!;
      const { step: collective } = occurrences[from]!;
      if (waitedFor.has(awaited) || (collective.kind === 'collective' && !collective.asynchronous)) continue;
      waitedFor.add(awaited);
      arrows.push({ name: 'done', from, to: index });
    }
    if (step.kind === 'collective') {
      indexOf[run!] = index;
      if (!step.asynchronous) last = index;
      else if (last !== undefined) arrows.push({ name: 'issue', from: last, to: index });
    } else last = index;
  });
  return arrows;
}

/** Of an execution of all chips, arrows and memory are those of the chip that the step's length is of. */
export function stepTrace({ trace, occurrences, duration, unfolded, plan }: Execution, program: Program): TraceProcess {
  const rank = unfolded?.lastRank ?? 0;
  // What the host does is no occurrence.
  const indices = trace.spans.flatMap((span, index) => (span.rank === rank && span.kind !== 'host' ? [index] : []));
  const arrows = arrowsOf(occurrences).map(({ name, from, to }) => ({ name, from: indices[from]!, to: indices[to]! }));
  const options = memoryOptions(program, plan.stack);
  const counters = memoryTimeline(program, occurrences, toSeconds(duration), options, MEMORY_SPANS).map(
    (point): CounterSample => ({
      counter: 'memory bytes',
      time: seconds(point.seconds),
      values: point.bytesByRole,
    }),
  );
  return { name: 'simulated', spans: trace.spans, arrows, counters };
}
