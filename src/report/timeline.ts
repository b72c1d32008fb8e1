/**
 * A timeline as the page has it: whole numbers that are small, names once each. A step of more spans than the page should
 * hold is thinned: neighbours that are shorter than some time are one span, which says how many it stands for.
 */
import { CATEGORIES } from './categories.js';
import type { Category } from './categories.js';
import type { Lane, LaneSpan } from './document.js';
import type { JsonObject, LegendEntry } from './figure.js';

/** Of all lanes together: more are slow to draw and make a large file. */
export const MOST_SPANS = 24_000;
/** A step is so many ticks long. */
const TICKS = 10_000_000;

/** One that is drawn: a span, or several in a row. */
interface Drawn {
  readonly start: number;
  end: number;
  readonly first: LaneSpan;
  count: number;
  readonly byCategory: Map<string, number>;
}

const drawnOf = (span: LaneSpan): Drawn => ({
  start: span.start,
  end: span.end,
  first: span,
  count: 1,
  byCategory: new Map([[span.category, span.end - span.start]]),
});

/** Spans below `shortest`, and gaps between them that are, become parts of ones that are about as long. */
function merged(spans: readonly LaneSpan[], shortest: number): Drawn[] {
  const found: Drawn[] = [];
  for (const span of spans) {
    const last = found.at(-1);
    const length = span.end - span.start;
    const joins =
      last !== undefined && length < shortest && last.end - last.start < shortest && span.start - last.end < shortest;
    if (!joins) {
      found.push(drawnOf(span));
      continue;
    }
    last.end = Math.max(last.end, span.end);
    last.count++;
    last.byCategory.set(span.category, (last.byCategory.get(span.category) ?? 0) + length);
  }
  return found;
}

export interface Thinned {
  readonly lanes: readonly (readonly Drawn[])[];
  /** Spans shorter than this are drawn together; 0 where each is drawn by itself. */
  readonly shortestSeconds: number;
  /** How many there are. */
  readonly spans: number;
}

export function thin(lanes: readonly Lane[], seconds: number, most = MOST_SPANS): Thinned {
  const spans = lanes.reduce((total, lane) => total + lane.spans.length, 0);
  if (spans <= most) return { lanes: lanes.map((lane) => merged(lane.spans, 0)), shortestSeconds: 0, spans };
  for (let shortest = seconds / 2 ** 20; ; shortest *= 2) {
    const thinned = lanes.map((lane) => merged(lane.spans, shortest));
    if (thinned.reduce((total, lane) => total + lane.length, 0) <= most)
      return { lanes: thinned, shortestSeconds: shortest, spans };
  }
}

const mostOf = (byCategory: ReadonlyMap<string, number>): string =>
  [...byCategory].reduce((most, one) => (one[1] > most[1] ? one : most))[0];

/** Numbers by their first appearance. */
class Names {
  readonly all: string[] = [];
  readonly #known = new Map<string, number>();

  of(name: string): number {
    let index = this.#known.get(name);
    if (index === undefined) this.#known.set(name, (index = this.all.push(name) - 1));
    return index;
  }
}

/**
 * For the page: of each lane six numbers a span, one after the other: ticks since the end of the span before it, ticks of
 * its length, index of its name, of its iterations, of its category, and for how many spans it stands.
 */
export function timelineData(lanes: readonly Lane[], thinned: Thinned, seconds: number): JsonObject {
  const [names, iterations, categories] = [new Names(), new Names(), new Names()];
  const tick = seconds / TICKS;
  const encoded = thinned.lanes.map((drawn, index) => {
    const spans: number[] = [];
    let at = 0;
    for (const { start, end, first, count, byCategory } of drawn) {
      const [from, to] = [Math.max(at, Math.round(start / tick)), Math.round(end / tick)];
      const [name = '', iteration = ''] = first.id.split('@');
      spans.push(from - at, Math.max(0, to - from), names.of(name), iterations.of(iteration));
      spans.push(categories.of(mostOf(byCategory)), count);
      at = Math.max(from, to);
    }
    return { name: lanes[index]!.name, spans };
  });
  return {
    seconds,
    tick,
    names: names.all,
    iterations: iterations.all,
    categories: categories.all.map((category) => ({
      name: CATEGORIES[category as Category] ?? category,
      colour: `var(--c-${category})`,
    })),
    lanes: encoded,
  };
}

/** Categories that some lane has, in their usual order. */
export function legendOf(lanes: readonly Lane[]): LegendEntry[] {
  const found = new Set(lanes.flatMap(({ spans }) => spans.map(({ category }) => category)));
  return Object.entries(CATEGORIES)
    .filter(([category]) => found.has(category))
    .map(([category, name]) => ({ name, colour: category }));
}
