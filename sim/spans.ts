/** Spans of what a chip did in virtual time, with the ids that a measured step has too. */
import type { SlotPlace, Span } from '../src/trace/index.js';
import { spanId } from '../src/trace/index.js';
import type { Ticks } from './engine/index.js';
import { addTicks, ticks, toSeconds } from './engine/index.js';
import type { Occurrence } from './folded.js';

/** What the host does before a step. */
export const hostSpan = (duration: Ticks, rank: number): Span => ({
  id: 'host/step',
  kind: 'host',
  name: 'step',
  phase: 'forward',
  rank,
  start: toSeconds(ticks(0)),
  end: toSeconds(duration),
});

export interface SpanPlace {
  readonly rank: number;
  /** When the program began of which these are the occurrences. */
  readonly from: Ticks;
  readonly slot?: SlotPlace;
}

/** In the order of issue. */
export function spansOf(occurrences: readonly Occurrence[], { rank, from, slot }: SpanPlace): Span[] {
  const at = (time: Ticks) => toSeconds(addTicks(from, time));
  return occurrences.flatMap(({ step, iterations, issued, launched, start, end }): Span[] => {
    const { kind, op } = step;
    const id = spanId(op, iterations);
    const place = { rank, ...(slot === undefined ? {} : { slot }) };
    const common = { id, kind, phase: op.phase, ...place, start: at(start), end: at(end) };
    const span = (): Span => {
      if (step.kind === 'kernel') return { ...common, name: 'kernel' };
      const { name, sentBytes, axis } = step;
      return { ...common, name, sentBytes, axis, issued: at(launched) };
    };
    // A chip that has come to something waits for nothing but the host.
    const waits: Span = {
      ...common,
      start: at(issued),
      end: at(launched),
      id: `host/${id}`,
      kind: 'host',
      name: 'launch',
    };
    const done = step.kind === 'kernel' && step.cost.pieces === 0 ? [] : [span()];
    return launched > issued ? [waits, ...done] : done;
  });
}
