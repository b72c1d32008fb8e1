/**
 * What of a profile a fit may move: every rate, time and share of it that says how fast something is. They are found in
 * the documents; a term that no prediction hangs on stays. Where a profile has times of ops as they were measured, those
 * stay too, and what moves is a factor for each kind of work (`corrections`).
 */
import type { HardwareDocument, StackDocument, Status, WorkKind } from '../hardware/index.js';
import { WORK_KINDS } from '../hardware/index.js';
import { parseQuantity } from '../units.js';
import type { Dimension } from '../units.js';

export interface ProfileDocuments {
  readonly hardware: HardwareDocument;
  readonly stack: StackDocument;
}

export interface Term {
  /** Where it is: `hardware chip.memory.bandwidth.achievable`, `hardware topology.transfers.2.latency`. */
  readonly id: string;
  /** As it is written: with its unit, or a number without one. */
  readonly text: string;
  readonly status: Status;
  /** Half of the width of its 10th to 90th percentile over repetitions, relative, where the profile says it. */
  readonly repeatability?: number;
}

/** New time over old for the same work, by term: above 1, slower. */
export type TimeFactors = ReadonlyMap<string, number>;

/** What a machine or a format is, not how fast something on it is. */
const FIXED = new Set(['peak', 'capacity', 'reservedMemory', 'smallTransfers', 'sustainedRate', 'rateSpread']);
/** Measured op by op and shape by shape: `corrections` moves in their place. */
const CORRECTED = new Set(['chip.memory.bandwidth.achievable', 'chip.vectorRate', 'chip.opTimes']);
/** Numbers without a unit that say how fast something is: shares of a rate, at most 1. */
const SHARES = new Set(['achievable', 'busyCoreRateFraction']);

interface Table {
  /** What tells entries apart; all move together where there are none. */
  readonly keys: readonly string[];
  readonly fields: readonly string[];
}
const TABLES: Readonly<Record<string, Table>> = {
  points: { keys: [], fields: ['rate'] },
  opTimes: { keys: [], fields: ['time'] },
  corrections: { keys: ['work'], fields: ['factor'] },
  contention: { keys: ['ranks', 'work'], fields: ['factor'] },
  transfers: { keys: ['ranks'], fields: ['bandwidth', 'latency'] },
  transferEfforts: { keys: ['collective'], fields: ['effort'] },
  waits: { keys: ['ranks'], fields: ['start', 'walk'] },
};
/** Numbers without a unit that a time is multiplied by, and the least that each may be. */
const TIME_FACTORS: Readonly<Record<string, number>> = { factor: 0, effort: 1 };

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readAs(text: unknown, dimension: Dimension): number | undefined {
  try {
    return parseQuantity(text, dimension, '');
  } catch {
    return undefined;
  }
}

/** Whether a value says how fast something is: as a time, which factors multiply, or as a rate, which they divide. */
function speedOf(value: unknown, name: string): 'time' | 'rate' | undefined {
  if (typeof value === 'number') return name in TIME_FACTORS ? 'time' : SHARES.has(name) ? 'rate' : undefined;
  // A time of zero says that there is none of it, which no factor changes.
  const time = readAs(value, 'time');
  if (time !== undefined) return time > 0 ? 'time' : undefined;
  const isRate = readAs(value, 'bytesPerSecond') !== undefined || readAs(value, 'flopsPerSecond') !== undefined;
  return isRate ? 'rate' : undefined;
}

const DIGITS = 6;

/** A quantity, factor or share that stands for so many times the time. */
function moved(value: unknown, name: string, factor: number): unknown {
  const by = speedOf(value, name) === 'time' ? factor : 1 / factor;
  if (typeof value === 'number') {
    const least = TIME_FACTORS[name] ?? 0;
    const most = SHARES.has(name) ? 1 : Infinity;
    return Number(Math.max(least, Math.min(most, value * by)).toPrecision(DIGITS));
  }
  const [, amount, unit] = /^\s*([\d_.e+-]+)\s*(\S*)\s*$/i.exec(value as string)!;
  return `${Number((Number(amount!.replaceAll('_', '')) * by).toPrecision(DIGITS))} ${unit}`;
}

type Provenance = Pick<Term, 'status' | 'repeatability'>;
/** What takes the place of a term's value: itself, or another one. */
type Visitor = (id: string, value: unknown, name: string, provenance: Provenance) => unknown;

const provenanceOf = ({ status, repeatability }: Json): Provenance => ({
  status: status as Status,
  ...(repeatability === undefined ? {} : { repeatability: repeatability as number }),
});

function visitTable(name: string, leaf: Json, id: string, visit: Visitor): Json {
  const table = TABLES[name];
  if (table === undefined) return leaf;
  const values = (leaf['values'] as readonly Json[]).map((entry) => {
    const own = table.keys.flatMap((key) => (entry[key] === undefined ? [] : [String(entry[key])]));
    const provenance = provenanceOf({ status: leaf['status'], repeatability: entry['repeatability'] });
    const changed = table.fields.flatMap((field) => {
      if (speedOf(entry[field], field) === undefined) return [];
      const parts = [id, ...own, ...(table.fields.length === 1 ? [] : [field])];
      return [[field, visit(parts.join('.'), entry[field], field, provenance)] as const];
    });
    return { ...entry, ...Object.fromEntries(changed) };
  });
  return { ...leaf, values };
}

function visitNode(node: Json, path: readonly string[], visit: Visitor): Json {
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) => {
      if (!isObject(value) || FIXED.has(name)) return [name, value];
      const here = [...path, name];
      if (!('source' in value && 'status' in value)) return [name, visitNode(value, here, visit)];
      const id = here.join('.');
      if (Array.isArray(value['values'])) return [name, visitTable(name, value, id, visit)];
      if (speedOf(value['value'], name) === undefined) return [name, value];
      return [name, { ...value, value: visit(id, value['value'], name, provenanceOf(value)) }];
    }),
  );
}

/** Points are measured at shapes of which `achievable` is the best: they are one term. */
const termId = (part: 'hardware' | 'stack', path: string): string =>
  `${part} ${path.replace(/^chip\.matmul\.(\w+)\.(achievable|points)$/, 'chip.matmul.$1')}`;

const PARTS = ['hardware', 'stack'] as const;

const UNCORRECTED = 'nothing was fitted yet';

/** These have times of their own in the stack's profile. */
const TIMED_BY_STACK: ReadonlySet<WorkKind> = new Set(['launch', 'crossing']);

/** With a factor for every kind of work, where these are what moves. */
function withCorrections(documents: ProfileDocuments): ProfileDocuments {
  const { hardware } = documents;
  const { opTimes, corrections } = hardware.chip;
  if (opTimes === undefined) return documents;
  const known = new Set(corrections?.values.map(({ work }) => work));
  const missing = WORK_KINDS.filter((work) => !known.has(work) && !TIMED_BY_STACK.has(work)).map((work) => ({
    work,
    factor: 1,
  }));
  const { source = UNCORRECTED, status = 'assumed' as const } = corrections ?? {};
  const all = { source, status, values: [...(corrections?.values ?? []), ...missing] };
  return { ...documents, hardware: { ...hardware, chip: { ...hardware.chip, corrections: all } } };
}

/** Whether a term stays because factors of kinds of work move in its place. */
const isCorrected = ({ hardware }: ProfileDocuments, id: string): boolean => {
  const path = id.slice('hardware '.length);
  return hardware.chip.opTimes !== undefined && (CORRECTED.has(path) || path.startsWith('chip.matmul.'));
};

export function termsOf(documents: ProfileDocuments): Term[] {
  const complete = withCorrections(documents);
  const found = new Map<string, Term>();
  for (const part of PARTS) {
    visitNode(complete[part], [], (path, value, _, provenance) => {
      const id = termId(part, path);
      if (!found.has(id) && !isCorrected(documents, id)) found.set(id, { id, text: String(value), ...provenance });
      return value;
    });
  }
  return [...found.values()];
}

const isDatasheet = (leaf: Json): boolean => leaf['status'] === 'datasheet' || leaf['status'] === 'published';

/** A measured peak gives way to what beats it, but the chip's own, which MFU is relative to; a datasheet's does not. */
function underPeak(node: Json, staysAbove: boolean): Json {
  const { peak, achievable } = node as { peak: Json; achievable: Json };
  if (typeof achievable['value'] !== 'string') return node;
  const rate = (leaf: Json): number =>
    readAs(leaf['value'], 'bytesPerSecond') ?? readAs(leaf['value'], 'flopsPerSecond')!;
  if (rate(achievable) <= rate(peak) || staysAbove) return node;
  return isDatasheet(peak)
    ? { ...node, achievable: { ...achievable, value: 1 } }
    : { ...node, peak: { ...achievable } };
}

/** A share of a measured peak as a rate, so that it can rise above it. */
function asRate(node: Json): Json {
  const { peak, achievable } = node as { peak: Json; achievable: Json };
  if (typeof achievable['value'] !== 'number' || isDatasheet(peak)) return node;
  return { ...node, achievable: { ...achievable, value: moved(peak['value'], 'peak', 1 / achievable['value']) } };
}

/** Maps all nodes with a peak and what is achieved of it. */
function mapRates(node: Json, map: (node: Json, path: readonly string[]) => Json, path: readonly string[] = []): Json {
  const inner = Object.fromEntries(
    Object.entries(node).map(([name, value]) => [
      name,
      isObject(value) ? mapRates(value, map, [...path, name]) : value,
    ]),
  );
  return isObject(inner['peak']) && isObject(inner['achievable']) ? map(inner, path) : inner;
}

/** Leaves in which something moved get the source. */
function marked(before: Json, after: Json, source: string): Json {
  return Object.fromEntries(
    Object.entries(after).map(([name, value]) => {
      const old = before[name];
      if (!isObject(value) || !isObject(old)) return [name, value];
      if (!('source' in value && 'status' in value)) return [name, marked(old, value, source)];
      const same = JSON.stringify([old['value'], old['values']]) === JSON.stringify([value['value'], value['values']]);
      return [name, same ? value : { ...value, source, status: 'calibrated' }];
    }),
  );
}

/**
 * @param source of every number that moves
 * @returns the profile with those terms moved; what MFU is relative to stays
 */
export function withFactors(documents: ProfileDocuments, factors: TimeFactors, source: string): ProfileDocuments {
  const complete = withCorrections(documents);
  const part = (name: (typeof PARTS)[number]): Json => {
    const rates = mapRates(complete[name], (node, path) =>
      factors.has(termId(name, [...path, 'achievable'].join('.'))) ? asRate(node) : node,
    );
    const after = visitNode(rates, [], (path, value, field) => {
      const factor = factors.get(termId(name, path));
      return factor === undefined || factor === 1 ? value : moved(value, field, factor);
    });
    return marked(complete[name], after, source);
  };
  // What a machine's own first measurement of its chip is, MFU is relative to: kernels may beat it.
  const isOwn = documents.hardware.chip.peakVersion !== undefined;
  const hardware = mapRates(part('hardware'), (node, path) => underPeak(node, isOwn && path[0] === 'chip'));
  return { hardware: hardware as HardwareDocument, stack: part('stack') as StackDocument };
}
