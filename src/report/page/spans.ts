/** The blocks of a timeline's rows, and what of them is drawn on so many pixels. */
import type { Parts } from '../parts.js';
import { eachPart } from '../parts.js';

/** A row as the page has it, see `timelineData`. */
export interface EncodedLane {
  readonly name: string;
  readonly isMeasured?: boolean;
  readonly blocks: readonly number[];
}

/** What all rows share. */
export interface Encoding {
  readonly tick: number;
  /** By name, of kernels of several categories. */
  readonly mixes: readonly (Parts<number> | undefined)[];
  /** The category of what a kernel takes longer than its parts. */
  readonly contention: number;
}

export interface Lane {
  readonly name: string;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  /** Of each block, how many spans it stands for. */
  readonly counts: Int32Array;
  /** Of each block, where in `blocks` it goes on after its count. */
  readonly facts: Int32Array;
  readonly blocks: readonly number[];
  readonly isMeasured: boolean;
  readonly encoding: Encoding;
}

export function decoded({ name, blocks, isMeasured = false }: EncodedLane, encoding: Encoding): Lane {
  const { tick } = encoding;
  const found: [start: number, end: number, count: number, facts: number][] = [];
  let at = 0;
  for (let next = 0; next < blocks.length;) {
    const start = at + blocks[next]!;
    at = start + blocks[next + 1]!;
    const count = blocks[next + 2]!;
    found.push([start * tick, at * tick, count, next + 3]);
    next += 3 + (count === 1 ? 3 : 1 + 2 * blocks[next + 3]!);
  }
  return {
    name,
    starts: Float64Array.from(found, ([start]) => start),
    ends: Float64Array.from(found, ([, end]) => end),
    counts: Int32Array.from(found, ([, , count]) => count),
    facts: Int32Array.from(found, ([, , , facts]) => facts),
    blocks,
    isMeasured,
    encoding,
  };
}

/** Of a block of one span. */
export const nameOf = ({ facts, blocks }: Lane, block: number): number => blocks[facts[block]!]!;
export const iterationOf = ({ facts, blocks }: Lane, block: number): number => blocks[facts[block]! + 1]!;

/** How long a block does what, in seconds. */
function eachCategory(lane: Lane, block: number, visit: (category: number, seconds: number) => void): void {
  const { facts, blocks, counts, starts, ends, isMeasured } = lane;
  const { tick, mixes, contention } = lane.encoding;
  const at = facts[block]!;
  if (counts[block] === 1) {
    const length = ends[block]! - starts[block]!;
    const mix = mixes[nameOf(lane, block)];
    if (mix === undefined) visit(blocks[at + 2]!, length);
    else eachPart(mix, length, isMeasured ? undefined : contention, visit);
    return;
  }
  for (let index = 0; index < blocks[at]!; index++)
    visit(blocks[at + 1 + 2 * index]!, blocks[at + 2 + 2 * index]! * tick);
}

/** The first block that ends after a time. */
function firstAfter(ends: Float64Array, time: number): number {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ends[middle]! <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What is drawn as one: a block, or all that is too narrow between two times. */
export interface Drawn {
  readonly lane: number;
  readonly start: number;
  readonly end: number;
  /** Of its blocks the first. */
  readonly block: number;
  spans: number;
  /** By category, how long. */
  readonly seconds: number[];
}

/** What of a lane is drawn between two times. Blocks shorter than `narrow` are drawn with what is around them. */
export function visible(lane: Lane, index: number, from: number, to: number, narrow: number): Drawn[] {
  const { starts, ends, counts } = lane;
  const drawn: Drawn[] = [];
  const bins = new Map<number, Drawn>();
  for (let block = firstAfter(ends, from); block < starts.length && starts[block]! < to; block++) {
    const [start, end] = [starts[block]!, ends[block]!];
    if (end - start >= narrow) {
      const one: Drawn = { lane: index, start, end, block, spans: counts[block]!, seconds: [] };
      eachCategory(lane, block, (category, seconds) => (one.seconds[category] = seconds));
      drawn.push(one);
      continue;
    }
    const [first, last] = [Math.floor(start / narrow), Math.floor(end / narrow)];
    for (let bin = first; bin <= last; bin++) {
      let one = bins.get(bin);
      if (one === undefined) {
        one = { lane: index, start: bin * narrow, end: (bin + 1) * narrow, block, spans: 0, seconds: [] };
        bins.set(bin, one);
      }
      if (bin === first) one.spans += counts[block]!;
      const part = end === start ? 0 : (Math.min(end, one.end) - Math.max(start, one.start)) / (end - start);
      const { seconds: sums } = one;
      eachCategory(lane, block, (category, seconds) => (sums[category] = (sums[category] ?? 0) + part * seconds));
    }
  }
  return [...drawn, ...bins.values()];
}
