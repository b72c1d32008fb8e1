/**
 * A timeline as the page has it: whole numbers that are small, names once each. A step of more spans than the page should
 * hold is thinned: its beginning and its end are there span by span; between them neighbours that are shorter than some
 * time are one block, which says how long it does what.
 */
import { CATEGORIES } from './categories.js';
import type { Category } from './categories.js';
import type { Lane, LaneSpan } from './document.js';
import type { JsonObject, LegendEntry } from './figure.js';
import { eachPart } from './parts.js';

/** Of all lanes together: more make a large file. */
export const MOST_SPANS = 24_000;
/** Of them, how many are the first and the last of the step, as they are. */
const FIRST = 0.4;
const LAST = 0.15;
/** A step is so many ticks long. */
const TICKS = 10_000_000;

/** A span, or several in a row. */
export interface Block {
  readonly start: number;
  end: number;
  readonly first: LaneSpan;
  count: number;
  /** Of several, how long they do what, in seconds; in what is left of its length nothing goes on. */
  readonly byCategory: Map<string, number>;
}

export interface Thinned {
  readonly lanes: readonly (readonly Block[])[];
  /** How many spans there are. */
  readonly spans: number;
  /** Of what is thinned: nothing where each span is by itself. */
  readonly between?: {
    readonly from: number;
    readonly to: number;
    /** Spans shorter than this are parts of blocks. */
    readonly shortestSeconds: number;
  };
}

const CONTENTION = 'contention';

/** How long a span does what. */
export function eachCategory(
  { category, parts, start, end }: LaneSpan,
  { isMeasured = false }: Pick<Lane, 'isMeasured'>,
  visit: (category: string, seconds: number) => void,
): void {
  if (parts === undefined) visit(category, end - start);
  else eachPart(parts, end - start, isMeasured ? undefined : CONTENTION, visit);
}

const add = (sums: Map<string, number>, category: string, seconds: number): void =>
  void sums.set(category, (sums.get(category) ?? 0) + seconds);

const blockOf = (span: LaneSpan): Block => ({
  start: span.start,
  end: span.end,
  first: span,
  count: 1,
  byCategory: new Map(),
});

/** Blocks of several spans are summed up once it is known that they stay. */
function sumUp(blocks: readonly Block[], lane: Lane): readonly Block[] {
  let next = 0;
  for (const { count, byCategory } of blocks) {
    for (let left = count; left > 0; left--, next++)
      if (count > 1) eachCategory(lane.spans[next]!, lane, (category, seconds) => add(byCategory, category, seconds));
  }
  return blocks;
}

/** Spans below `shortest` between two times, and gaps between them that are, become blocks that are about as long. */
function merged(spans: readonly LaneSpan[], { from, to, shortestSeconds }: NonNullable<Thinned['between']>): Block[] {
  const found: Block[] = [];
  for (const span of spans) {
    const last = found.at(-1);
    const length = span.end - span.start;
    const joins =
      last !== undefined &&
      last.start >= from &&
      span.start < to &&
      length < shortestSeconds &&
      last.end - last.start < shortestSeconds &&
      span.start - last.end < shortestSeconds;
    if (!joins) {
      found.push(blockOf(span));
      continue;
    }
    last.end = Math.max(last.end, span.end);
    last.count++;
  }
  return found;
}

/** @param seconds how long the step is */
export function thin(lanes: readonly Lane[], seconds: number, most = MOST_SPANS): Thinned {
  const spans = lanes.reduce((total, lane) => total + lane.spans.length, 0);
  if (spans <= most) return { lanes: lanes.map((lane) => lane.spans.map(blockOf)), spans };
  const starts = Float64Array.from(lanes.flatMap((lane) => lane.spans.map(({ start }) => start))).sort();
  const [from, to] = [starts[Math.floor(most * FIRST)]!, starts[spans - Math.floor(most * LAST)]!];
  for (let shortestSeconds = seconds / most / 4; ; shortestSeconds *= 2) {
    const between = { from, to, shortestSeconds };
    const thinned = lanes.map((lane) => merged(lane.spans, between));
    // At the step's length nothing is left to be merged.
    if (thinned.reduce((total, lane) => total + lane.length, 0) <= most || shortestSeconds > seconds)
      return { lanes: thinned.map((blocks, index) => sumUp(blocks, lanes[index]!)), spans, between };
  }
}

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
 * For the page, of each lane its blocks one after the other, as numbers: ticks since the end of the one before, ticks of
 * its length, for how many spans it stands. Then of one span the indices of its name, its iterations and its category; of
 * several the count of their categories, and of each its index and the ticks that it takes. `mixes` has of each name that
 * is a kernel of several categories their indices and seconds.
 */
export function timelineData(lanes: readonly Lane[], { lanes: blocks, between }: Thinned, seconds: number): JsonObject {
  const [names, iterations] = [new Names(), new Names()];
  const categories = categoriesOf(lanes);
  const index = (category: string): number => categories.indexOf(category as Category);
  /** By name. */
  const mixes: (number[] | undefined)[] = [];
  const tick = seconds / TICKS;
  const encoded = blocks.map((own, lane) => {
    const numbers: number[] = [];
    let at = 0;
    for (const { start, end, first, count, byCategory } of own) {
      const [from, to] = [Math.max(at, Math.round(start / tick)), Math.round(end / tick)];
      numbers.push(from - at, Math.max(0, to - from), count);
      at = Math.max(from, to);
      if (count === 1) {
        const [name = '', iteration = ''] = first.id.split('@');
        numbers.push(names.of(name), iterations.of(iteration), index(first.category));
        mixes[names.of(name)] ??= first.parts?.flatMap(([category, time]) => [index(category), time]);
      } else {
        numbers.push(byCategory.size);
        for (const [category, taken] of byCategory) numbers.push(index(category), Math.round(taken / tick));
      }
    }
    const { name, isMeasured } = lanes[lane]!;
    return { name, isMeasured, blocks: numbers };
  });
  return {
    seconds,
    tick,
    ...(between === undefined ? {} : { firstUntil: between.from, lastFrom: between.to }),
    names: names.all,
    mixes: names.all.map((_, name) => mixes[name] ?? null),
    iterations: iterations.all,
    categories: categories.map((category) => ({
      name: CATEGORIES[category],
      colour: `var(--c-${category})`,
    })),
    lanes: encoded,
  };
}

/** Those that some lane has, in their usual order. */
function categoriesOf(lanes: readonly Lane[]): Category[] {
  const found = new Set<string>();
  for (const lane of lanes) for (const span of lane.spans) eachCategory(span, lane, (category) => found.add(category));
  return (Object.keys(CATEGORIES) as Category[]).filter((category) => found.has(category));
}

export const legendOf = (lanes: readonly Lane[]): LegendEntry[] =>
  categoriesOf(lanes).map((category) => ({ name: CATEGORIES[category], colour: category }));
