/**
 * A pattern: flows that all chips start at once, each a share of the same number of bytes, and what that takes. It is
 * worked out once, on the whole machine, and then scales with the bytes.
 */
import type { Fabric } from '../machine/index.js';
import { bytesPerSecond, seconds } from '../../src/units.js';
import { maxMinRates } from './max-min.js';
import type { ChipShares, Flow, Pattern, SlowestFlow } from './types.js';

/** Ends that differ by less are one. */
const EQUAL = 1e-9;
/** Above any message: there the rate decides which flow is the slowest, not the latency. */
const LARGE = 1e15;

type Paths = readonly (readonly number[])[];

/**
 * Each flow's rate from start to end, on the average where it changes: rates are shared anew whenever flows end. That of
 * a flow whose rate stays is as the sharing gave it, to the bit.
 */
function ratesOf(flows: readonly Flow[], paths: Paths, capacities: readonly number[]): Float64Array {
  const found = new Float64Array(flows.length).fill(Infinity);
  const first = new Float64Array(flows.length);
  const changed = new Uint8Array(flows.length);
  const left = Float64Array.from(flows, ({ share }) => share);
  let open: number[] = [];
  paths.forEach((path, flow) => path.length > 0 && open.push(flow));
  let now = 0;
  while (open.length > 0) {
    const rates = maxMinRates(
      open.map((flow) => paths[flow]!),
      capacities,
    );
    let next = Infinity;
    open.forEach((flow, index) => {
      if (first[flow] === 0) first[flow] = rates[index]!;
      else if (first[flow] !== rates[index]) changed[flow] = 1;
      next = Math.min(next, left[flow]! / rates[index]!);
    });
    now += next;
    const stillOpen: number[] = [];
    open.forEach((flow, index) => {
      const rest = left[flow]! - rates[index]! * next;
      left[flow] = rest;
      if (rest > EQUAL * flows[flow]!.share) stillOpen.push(flow);
      else found[flow] = changed[flow] === 0 ? first[flow]! : flows[flow]!.share / now;
    });
    open = stillOpen;
  }
  return found;
}

/** Few flows differ, so that the latest is found among few kinds. */
interface Kinds {
  readonly kinds: readonly SlowestFlow[];
  /** By flow. */
  readonly kindOf: Int32Array;
}

function kindsOf(flows: readonly Flow[], paths: Paths, fabric: Fabric, rates: Float64Array): Kinds {
  const kinds: SlowestFlow[] = [];
  const found = new Map<string, number>();
  const kindOf = new Int32Array(flows.length);
  flows.forEach(({ share }, flow) => {
    let latency = 0;
    for (const link of paths[flow]!) latency += fabric.links[link]!.latency;
    const rate = rates[flow]!;
    const key = `${latency} ${share} ${rate}`;
    let kind = found.get(key);
    if (kind === undefined) {
      kind = kinds.push({ latency: seconds(latency), share, rate: bytesPerSecond(rate) }) - 1;
      found.set(key, kind);
    }
    kindOf[flow] = kind;
  });
  return { kinds, kindOf };
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
  flows.forEach(({ from, to }, flow) => {
    const bit = 1 << kindOf[flow]!;
    kindsAt[from]! |= bit;
    kindsAt[to]! |= bit;
  });
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

function chipSharesOf({ links }: Fabric, chips: number, flows: readonly Flow[], paths: Paths): ChipShares {
  let [sent, got] = [0, 0];
  flows.forEach(({ share }, flow) => {
    const path = paths[flow]!;
    if (path.length === 0) return;
    // Those of a switch begin or end in it. Chips have the first numbers.
    if (links[path[0]!]!.from < chips) sent += share;
    if (links[path.at(-1)!]!.to < chips) got += share;
  });
  return { sent: sent / chips, got: got / chips };
}

/** @param paths of each flow */
export function createPattern(
  fabric: Fabric,
  chips: number,
  flows: readonly Flow[],
  paths: Paths,
): Omit<Pattern, 'bounds'> {
  const capacities = fabric.links.map((link) => link.bytesPerSecond);
  const found = kindsOf(flows, paths, fabric, ratesOf(flows, paths, capacities));
  const { kinds, kindOf } = found;
  const end = ({ latency, share, rate }: SlowestFlow, bytes: number): number => latency + (bytes * share) / rate;
  const slowest = (bytes: number): SlowestFlow =>
    kinds.reduce((latest, kind) => (end(kind, bytes) > end(latest, bytes) ? kind : latest));
  let linkShares: Map<number, number> | undefined;
  let chipShares: ChipShares | undefined;
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
      if (linkShares === undefined) {
        linkShares = new Map();
        for (const [flow, { share }] of flows.entries())
          for (const link of paths[flow]!) linkShares.set(link, (linkShares.get(link) ?? 0) + share);
      }
      return linkShares;
    },
    get chipShares() {
      return (chipShares ??= chipSharesOf(fabric, chips, flows, paths));
    },
  };
}
