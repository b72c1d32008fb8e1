import type { Span } from '../../src/trace/index.js';
import { seconds } from '../../src/units.js';

/** A span of a kernel of the forward pass, but for what `more` says. */
export const span = (id: string, rank: number, start: number, end: number, more: Partial<Span> = {}): Span => ({
  id,
  kind: 'kernel',
  name: 'kernel',
  phase: 'forward',
  rank,
  start: seconds(start),
  end: seconds(end),
  ...more,
});
