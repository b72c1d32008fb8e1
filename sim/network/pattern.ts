/**
 * A pattern: flows that all chips start at once, each a share of the same number of bytes, and what that takes. It is
 * worked out once, on the whole machine, and then scales with the bytes.
 */
import { bytesPerSecond, seconds } from '../../src/units.js';
import type { LinkNumbers } from './link-numbers.js';
import { UsedLinks } from './link-shares.js';
import { maxMinRates } from './max-min.js';
import type { Paths } from './paths.js';
import { somePaths } from './paths.js';
import type { Flow, LinkShares, Pattern, SlowestFlow } from './types.js';

/** Ends that differ by less are one. */
const EQUAL = 1e-9;
/** Above any message: there the rate decides which flow is the slowest, not the latency. */
const LARGE = 1e15;

/**
 * Each flow's rate from start to end, on the average where it changes: rates are shared anew whenever flows end. That of
 * a flow whose rate stays is as the sharing gave it, to the bit.
 */
function ratesOf(flows: readonly Flow[], paths: Paths, capacities: Float64Array): Float64Array {
  const atFirst = maxMinRates(paths, capacities);
  if (endTogether(flows, atFirst)) return atFirst;
  const found = new Float64Array(flows.length).fill(Infinity);
  const first = new Float64Array(flows.length);
  const changed = new Uint8Array(flows.length);
  const left = Float64Array.from(flows, ({ share }) => share);
  let open: number[] = [];
  for (let flow = 0; flow < flows.length; flow++) if (paths.starts[flow] !== paths.starts[flow + 1]) open.push(flow);
  let now = 0;
  while (open.length > 0) {
    const rates = open.length === flows.length ? atFirst : maxMinRates(somePaths(paths, open), capacities);
    let next = Infinity;
    for (let index = 0; index < open.length; index++) {
      const flow = open[index]!;
      if (first[flow] === 0) first[flow] = rates[index]!;
      else if (first[flow] !== rates[index]) changed[flow] = 1;
      next = Math.min(next, left[flow]! / rates[index]!);
    }
    now += next;
    const stillOpen: number[] = [];
    for (let index = 0; index < open.length; index++) {
      const flow = open[index]!;
      const rest = left[flow]! - rates[index]! * next;
      left[flow] = rest;
      if (rest > EQUAL * flows[flow]!.share) stillOpen.push(flow);
      else found[flow] = changed[flow] === 0 ? first[flow]! : flows[flow]!.share / now;
    }
    open = stillOpen;
  }
  return found;
}

/** Those that go over any link. */
function endTogether(flows: readonly Flow[], rates: Float64Array): boolean {
  let end = Infinity;
  for (let flow = 0; flow < flows.length; flow++)
    if (rates[flow] !== Infinity) end = Math.min(end, flows[flow]!.share / rates[flow]!);
  for (let flow = 0; flow < flows.length; flow++) {
    const { share } = flows[flow]!;
    if (rates[flow] !== Infinity && share - rates[flow]! * end > EQUAL * share) return false;
  }
  return true;
}

/** Few flows differ, so that the latest is found among few kinds. */
interface Kinds {
  readonly kinds: readonly SlowestFlow[];
  /** By flow. */
  readonly kindOf: Int32Array;
}

function kindsOf(
  flows: readonly Flow[],
  { starts, links }: Paths,
  latencies: Float64Array,
  rates: Float64Array,
): Kinds {
  const kinds: SlowestFlow[] = [];
  const byNumbers = new Map<number, Map<number, Map<number, number>>>();
  const kindOf = new Int32Array(flows.length);
  let last: SlowestFlow | undefined;
  for (let flow = 0; flow < flows.length; flow++) {
    let latency = 0;
    for (let hop = starts[flow]!; hop < starts[flow + 1]!; hop++) latency += latencies[links[hop]!]!;
    const { share } = flows[flow]!;
    const rate = rates[flow]!;
    // Mostly as the flow before.
    if (last !== undefined && last.latency === latency && last.share === share && last.rate === rate) {
      kindOf[flow] = kindOf[flow - 1]!;
      continue;
    }
    const found = innerMap(innerMap(byNumbers, latency), share);
    let kind = found.get(rate);
    if (kind === undefined) {
      kind = kinds.push({ latency: seconds(latency), share, rate: bytesPerSecond(rate) }) - 1;
      found.set(rate, kind);
    }
    last = kinds[kind];
    kindOf[flow] = kind;
  }
  return { kinds, kindOf };
}

function innerMap<T>(of: Map<number, Map<number, T>>, key: number): Map<number, T> {
  let found = of.get(key);
  if (found === undefined) of.set(key, (found = new Map<number, T>()));
  return found;
}

const perByte = ({ share, rate }: SlowestFlow): number => share / rate;

/**
 * Whether every chip takes as long for its flows as any other, whatever the bytes: then all go through the steps
 * together. Of a chip's flows those count that may end last.
 */
function allAlike(flows: readonly Flow[], { kinds, kindOf }: Kinds, chips: number): boolean {
  // More kinds than bits: hardly alike, and not worth finding out.
  if (kinds.length > 30) return false;
  const kindsAt = new Int32Array(chips);
  for (let flow = 0; flow < flows.length; flow++) {
    const { from, to } = flows[flow]!;
    const bit = 1 << kindOf[flow]!;
    kindsAt[from]! |= bit;
    kindsAt[to]! |= bit;
  }
  const latest = new Map<number, number>();
  const latestOf = (set: number): number => {
    const known = latest.get(set);
    if (known !== undefined) return known;
    const among = kinds.map((_, kind) => kind).filter((kind) => (set >> kind) % 2 !== 0);
    const later = (a: number, b: number): boolean =>
      kinds[a]!.latency >= kinds[b]!.latency && perByte(kinds[a]!) >= perByte(kinds[b]!);
    // Of kinds that end together the first counts.
    const hides = (other: number, kind: number): boolean =>
      other !== kind && later(other, kind) && (other < kind || !later(kind, other));
    const kept = among.filter((kind) => !among.some((other) => hides(other, kind)));
    const found = kept.reduce((bits, kind) => bits | (1 << kind), 0);
    latest.set(set, found);
    return found;
  };
  const first = latestOf(kindsAt[0]!);
  return first !== 0 && kindsAt.every((set) => latestOf(set) === first);
}

/** What is worked out from the flows. */
export type PatternFound = Omit<Pattern, 'bounds' | 'chipShares'>;

/** @param paths of each flow */
export function createPattern(
  { latencies, capacities }: LinkNumbers,
  chips: number,
  flows: readonly Flow[],
  paths: Paths,
): PatternFound {
  const found = kindsOf(flows, paths, latencies, ratesOf(flows, paths, capacities));
  const { kinds, kindOf } = found;
  const end = ({ latency, share, rate }: SlowestFlow, bytes: number): number => latency + (bytes * share) / rate;
  const slowest = (bytes: number): SlowestFlow =>
    kinds.reduce((latest, kind) => (end(kind, bytes) > end(latest, bytes) ? kind : latest));
  let linkShares: LinkShares | undefined;
  return {
    flows,
    paths,
    kinds,
    kindOf,
    slowest,
    bottleneck: slowest(LARGE),
    even: allAlike(flows, found, chips),
    together: new Set(kinds.map(perByte).filter((time) => time > 0)).size <= 1,
    get linkShares() {
      return (linkShares ??= new UsedLinks(flows, paths, capacities.length));
    },
  };
}
