/** The spans of a timeline's rows, and what of them is drawn on so many pixels. */

/** A row as the page has it: six numbers a span, see `timelineData`. */
export interface EncodedLane {
  readonly name: string;
  readonly spans: readonly number[];
}

export interface DecodedLane {
  readonly name: string;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** Name, iteration, category and count of each span. */
  readonly facts: Int32Array;
}

const FIELDS = 6;

export function decoded({ name, spans }: EncodedLane, tick: number): DecodedLane {
  const count = spans.length / FIELDS;
  const [starts, ends, facts] = [new Float64Array(count), new Float64Array(count), new Int32Array(count * 4)];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const from = index * FIELDS;
    at += spans[from]!;
    starts[index] = at * tick;
    at += spans[from + 1]!;
    ends[index] = at * tick;
    for (let field = 0; field < 4; field++) facts[index * 4 + field] = spans[from + 2 + field]!;
  }
  return { name, starts, ends, facts };
}

/** The first span that ends after a time. */
function firstAfter(ends: Float64Array, time: number): number {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle]! <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Spans that would be narrower than this many pixels are drawn with their neighbours. */
const NARROW = 1.6;

export type Row = [lane: number, start: number, end: number, category: number, first: number, last: number];

/** What of a lane is drawn between two times on so many pixels. */
export function visible(
  { starts, ends, facts }: DecodedLane,
  lane: number,
  from: number,
  to: number,
  width: number,
): Row[] {
  const narrow = ((to - from) / width) * NARROW;
  const rows: Row[] = [];
  let longest = 0;
  for (let index = firstAfter(ends, from); index < starts.length && starts[index]! < to; index++) {
    const [first, end] = [starts[index]!, ends[index]!];
    const category = facts[index * 4 + 2]!;
    const last = rows.at(-1);
    if (last !== undefined && end - first < narrow && last[2] - last[1] < narrow && first - last[2] < narrow) {
      last[2] = end;
      last[5] = index;
      if (end - first > longest) [longest, last[3]] = [end - first, category];
    } else {
      longest = end - first;
      rows.push([lane, first, end, category, index, index]);
    }
  }
  return rows;
}
