/**
 * What of a profile a fit may move: every rate, time and share of it that says how fast something is. They are found in
 * the documents, so that a term which a profile gains is fitted without being named here; a term that no prediction hangs
 * on stays. All entries of a table (rates of shapes, of sizes) move together.
 */
import type { HardwareDocument, StackDocument, Status } from '../hardware/index.js';
import { parseQuantity } from '../units.js';
import type { Dimension } from '../units.js';

export interface ProfileDocuments {
  readonly hardware: HardwareDocument;
  readonly stack: StackDocument;
}

export interface Term {
  /** Where it is: `hardware chip.memory.bandwidth.achievable`. */
  readonly id: string;
  /** Whether more of it makes a step longer. */
  readonly kind: 'time' | 'rate' | 'share';
  /** In SI units; of a table, the geometric mean of its entries. */
  readonly value: number;
  readonly status: Status;
  /** Half of the width of its 10th to 90th percentile over repetitions, relative, where the profile says it. */
  readonly repeatability?: number;
}

/** New time over old for the same work, by term: above 1, slower. */
export type TimeFactors = ReadonlyMap<string, number>;

/** What a machine or a format is, not how fast something on it is. */
const FIXED = new Set(['peak', 'capacity', 'reservedMemory', 'below', 'sustainedRate', 'rateSpread', 'plan', 'model']);

/** Numbers without a unit that say how fast something is: shares of a rate, at most 1. */
const SHARES = new Set(['achievable', 'busyCoreRateFraction']);

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const RATES: readonly Dimension[] = ['bytesPerSecond', 'flopsPerSecond'];

interface Reading {
  readonly kind: Term['kind'];
  readonly value: number;
}

function readAs(text: string, dimension: Dimension): number | undefined {
  try {
    return parseQuantity(text, dimension, '');
  } catch {
    return undefined;
  }
}

/** What a leaf says, where it says how fast something is. */
function reading(value: unknown, name: string): Reading | undefined {
  if (typeof value === 'number') return SHARES.has(name) ? { kind: 'share', value } : undefined;
  if (typeof value !== 'string') return undefined;
  const time = readAs(value, 'time');
  if (time !== undefined) return { kind: 'time', value: time };
  for (const dimension of RATES) {
    const rate = readAs(value, dimension);
    if (rate !== undefined) return { kind: 'rate', value: rate };
  }
  return undefined;
}

/** The fields of a table's entries that say how fast something is. */
const entryReadings = (entry: unknown): Reading[] =>
  isObject(entry)
    ? Object.entries(entry).flatMap(([name, value]) => {
        const found = typeof value === 'string' && !FIXED.has(name) ? reading(value, name) : undefined;
        return found === undefined ? [] : [found];
      })
    : [];

const DIGITS = 6;

/** A quantity or a share that is so many times as large, in its own unit. */
function scaled(value: unknown, by: number, most = Infinity): unknown {
  if (typeof value === 'number') return Number(Math.min(most, value * by).toPrecision(DIGITS));
  const [, amount, unit] = /^\s*([\d_.e+-]+)\s*(\S*)\s*$/i.exec(value as string)!;
  return `${Number((Number(amount!.replaceAll('_', '')) * by).toPrecision(DIGITS))} ${unit}`;
}

interface Visit {
  /** @returns what takes the leaf's place */
  (id: string, leaf: Json, readings: readonly Reading[]): Json;
}

function visitTerms(node: Json, path: readonly string[], visit: Visit): Json {
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) => {
      if (!isObject(value) || FIXED.has(name)) return [name, value];
      const here = [...path, name];
      if (!('source' in value && 'status' in value)) return [name, visitTerms(value, here, visit)];
      const readings = Array.isArray(value['values'])
        ? value['values'].flatMap(entryReadings)
        : [reading(value['value'], name)].filter((one) => one !== undefined);
      return [name, readings.some(({ value: amount }) => amount > 0) ? visit(here.join('.'), value, readings) : value];
    }),
  );
}

const logMean = (readings: readonly Reading[]): number => {
  const above = readings.filter(({ value }) => value > 0);
  return Math.exp(above.reduce((sum, { value }) => sum + Math.log(value), 0) / above.length);
};

/** Points are measured at shapes of which `achievable` is the best: they are one term. */
const termId = (part: 'hardware' | 'stack', path: string): string =>
  `${part} ${path.replace(/^chip\.matmul\.(\w+)\.(achievable|points)$/, 'chip.matmul.$1')}`;

const PARTS = ['hardware', 'stack'] as const;

export function termsOf(documents: ProfileDocuments): Term[] {
  const found = new Map<string, Term>();
  for (const part of PARTS) {
    visitTerms(documents[part], [], (path, leaf, readings) => {
      const id = termId(part, path);
      const { repeatability } = leaf as { repeatability?: number };
      if (!found.has(id) || path.endsWith('.points'))
        found.set(id, {
          id,
          kind: readings[0]!.kind,
          value: logMean(readings),
          status: leaf['status'] as Status,
          ...(repeatability === undefined ? {} : { repeatability }),
        });
      return leaf;
    });
  }
  return [...found.values()];
}

function movedLeaf(leaf: Json, factor: number, source: string): Json {
  const mark = { source, status: 'calibrated' };
  const by = (value: unknown): number => (readAs(String(value), 'time') === undefined ? 1 / factor : factor);
  if (Array.isArray(leaf['values'])) {
    const values = (leaf['values'] as readonly Json[]).map((entry) =>
      Object.fromEntries(
        Object.entries(entry).map(([name, value]) => {
          const moves = typeof value === 'string' && !FIXED.has(name) && reading(value, name) !== undefined;
          return [name, moves ? scaled(value, by(value)) : value];
        }),
      ),
    );
    return { ...leaf, ...mark, values };
  }
  return { ...leaf, ...mark, value: scaled(leaf['value'], by(leaf['value']), 1) };
}

/** A peak that is itself a measurement gives way to what beats it; a datasheet's does not. */
function underPeak(parent: Json, isMachine: boolean): Json {
  const { peak, achievable } = parent as { peak?: Json; achievable?: Json };
  if (!isObject(peak) || !isObject(achievable) || typeof achievable['value'] !== 'string') return parent;
  const [most, got] = [reading(peak['value'], 'peak'), reading(achievable['value'], 'achievable')];
  if (most === undefined || got === undefined || got.value <= most.value || isMachine) return parent;
  return peak['status'] === 'datasheet' || peak['status'] === 'published'
    ? { ...parent, achievable: { ...achievable, value: 1 } }
    : { ...parent, peak: { ...peak, value: achievable['value'], source: achievable['source'], status: 'calibrated' } };
}

/** Shares of a measured peak become rates, so that they can rise above it. */
function asRates(node: Json): Json {
  const { peak, achievable } = node as { peak?: Json; achievable?: Json };
  if (isObject(peak) && isObject(achievable) && typeof achievable['value'] === 'number') {
    const share = achievable['value'];
    if (peak['status'] !== 'datasheet' && peak['status'] !== 'published')
      return { ...node, achievable: { ...achievable, value: scaled(peak['value'], share) } };
  }
  return Object.fromEntries(
    Object.entries(node).map(([name, value]) => [name, isObject(value) ? asRates(value) : value]),
  );
}

function mapObjects(
  node: Json,
  map: (node: Json, path: readonly string[]) => Json,
  path: readonly string[] = [],
): Json {
  const inner = Object.fromEntries(
    Object.entries(node).map(([name, value]) => [
      name,
      isObject(value) ? mapObjects(value, map, [...path, name]) : value,
    ]),
  );
  return map(inner, path);
}

/**
 * @param source of every number that moves
 * @returns the profile with those terms moved; what MFU is relative to stays
 */
export function withFactors(documents: ProfileDocuments, factors: TimeFactors, source: string): ProfileDocuments {
  const part = (name: (typeof PARTS)[number]): Json =>
    visitTerms(asRates(documents[name]), [], (path, leaf) => {
      const factor = factors.get(termId(name, path));
      return factor === undefined || factor === 1 ? leaf : movedLeaf(leaf, factor, source);
    });
  // What a machine's own first measurement of its chip is, MFU is relative to: kernels may beat it.
  const frozen = documents.hardware.chip.peakVersion !== undefined;
  const hardware = mapObjects(part('hardware'), (node, path) => underPeak(node, frozen && path[0] === 'chip'));
  return { hardware: hardware as HardwareDocument, stack: part('stack') as StackDocument };
}
