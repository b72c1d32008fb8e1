/** What chips are at over a step, in equal parts of its time: a few hundred shares in place of a million spans. */
import type { Phase } from '../program/index.js';
import type { Span } from '../trace/index.js';
import type { Activity, TimelineLane } from '../tui/services.js';

/** From and to when, in seconds, and into how many parts it is cut. */
export interface LaneWindow {
  readonly from: number;
  readonly to: number;
  readonly parts: number;
}

const ACTIVITY_OF_PHASE = {
  forward: 'forward',
  backward: 'backward',
  reduce: 'update',
  optimizer: 'update',
} as const satisfies Record<Phase, Activity>;

type Interval = Pick<Span, 'start' | 'end'>;

/** Adds up how much of each part something takes. */
class Shares {
  readonly #window: LaneWindow;
  readonly #of = new Map<Activity, number[]>();

  constructor(window: LaneWindow) {
    this.#window = window;
  }

  add(activity: Activity, start: number, end: number): void {
    const { from, to, parts } = this.#window;
    const [first, last] = [Math.max(start, from), Math.min(end, to)];
    if (last <= first) return;
    let shares = this.#of.get(activity);
    if (shares === undefined) this.#of.set(activity, (shares = Array.from({ length: parts }, () => 0)));
    const scale = parts / (to - from);
    const [low, high] = [(first - from) * scale, (last - from) * scale];
    for (let part = Math.floor(low); part < Math.min(parts, high); part++)
      shares[part]! += Math.max(0, Math.min(high, part + 1) - Math.max(low, part));
  }

  get all(): TimelineLane['shares'] {
    return Object.fromEntries(this.#of);
  }
}

const byStart = <T extends Interval>(spans: readonly T[]): T[] => spans.toSorted((a, b) => a.start - b.start);

/** Tells of each collective what of it goes on beside kernels and what is waited for; one chip's kernels do not overlap. */
function addCollectives(shares: Shares, collectives: readonly Interval[], kernels: readonly Interval[]): void {
  let first = 0;
  for (const { start, end } of collectives) {
    while (first < kernels.length && kernels[first]!.end <= start) first++;
    let until: number = start;
    for (let index = first; index < kernels.length && kernels[index]!.start < end; index++) {
      const kernel = kernels[index]!;
      shares.add('waited', until, kernel.start);
      shares.add('hidden', Math.max(until, kernel.start), Math.min(end, kernel.end));
      until = Math.max(until, Math.min(end, kernel.end));
    }
    shares.add('waited', until, end);
  }
}

const kernelsOf = (spans: readonly Span[]): Span[] => byStart(spans.filter(({ kind }) => kind === 'kernel'));

function computeShares(kernels: readonly Span[], window: LaneWindow): Shares {
  const shares = new Shares(window);
  for (const { phase, start, end } of kernels) shares.add(ACTIVITY_OF_PHASE[phase], start, end);
  return shares;
}

/** What a chip sends over each axis, in the order of the first use. */
export function axisLanes(spans: readonly Span[], window: LaneWindow): TimelineLane[] {
  const kernels = kernelsOf(spans);
  return axesOf(spans).map((axis) => {
    const shares = new Shares(window);
    addCollectives(shares, byStart(spans.filter((span) => span.kind === 'collective' && span.axis === axis)), kernels);
    return { name: axis, kind: 'communication', shares: shares.all };
  });
}

/** A chip: its kernels, and what it sends. */
export const chipLanes = (spans: readonly Span[], window: LaneWindow): TimelineLane[] => [
  { name: 'compute', kind: 'compute', shares: computeShares(kernelsOf(spans), window).all },
  ...axisLanes(spans, window),
];

const axesOf = (spans: readonly Span[]): string[] => [
  ...new Set(spans.flatMap(({ kind, axis }) => (kind === 'collective' && axis !== undefined ? [axis] : []))),
];

/**
 * A pipeline: a lane for each stage. What a stage sends goes on beside its kernels or is waited for; of what it waits for
 * over several axes at once, the time counts once.
 */
export function stageLanes(spansByStage: readonly (readonly Span[])[], window: LaneWindow): TimelineLane[] {
  return spansByStage.map((spans, stage) => {
    const kernels = kernelsOf(spans);
    const shares = computeShares(kernels, window);
    const waits = new Shares(window);
    addCollectives(waits, joined(byStart(spans.filter(({ kind }) => kind === 'collective'))), kernels);
    const { waited } = waits.all;
    const all = { ...shares.all, ...(waited === undefined ? {} : { waited }) };
    return { name: `stage ${stage}`, kind: 'compute', shares: all };
  });
}

/** Intervals that overlap as one. */
function joined(intervals: readonly Interval[]): Interval[] {
  const found: { start: Interval['start']; end: Interval['end'] }[] = [];
  for (const { start, end } of intervals) {
    const last = found.at(-1);
    if (last !== undefined && start <= last.end) last.end = end > last.end ? end : last.end;
    else found.push({ start, end });
  }
  return found;
}

/** Slots of a pipeline whose kernels are too many to look at each. */
export interface TimedSlot {
  readonly kind: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
}

/** As `stageLanes`, by slots alone: what chips wait for within a slot is part of it. */
export const slotLanes = (slotsByStage: readonly (readonly TimedSlot[])[], window: LaneWindow): TimelineLane[] =>
  slotsByStage.map((slots, stage) => {
    const shares = new Shares(window);
    for (const { kind, startSeconds, endSeconds } of slots)
      shares.add(kind === 'forward' ? 'forward' : 'backward', startSeconds, endSeconds);
    return { name: `stage ${stage}`, kind: 'compute', shares: shares.all };
  });
