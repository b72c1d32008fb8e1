/** The shape of a slice of a torus: which dimensions are rings, what a twist does to them, and whether it can be had. */
import type { TorusTopology } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';

export interface TorusShape {
  readonly lengths: readonly number[];
  /** Which dimensions have links that wrap around. */
  readonly wrapped: readonly boolean[];
  /**
   * Where a step over the end of a dimension lands in the others, by dimension: nothing but the other end, or, twisted,
   * half way along the long dimensions too.
   */
  readonly shifts: readonly (readonly number[])[];
  readonly twisted: boolean;
}

export const formatSlice = (slice: readonly number[]): string => slice.join('×');

/** Which dimensions of a slice have links that wrap around. */
function wrappedDimensions(slice: readonly number[], { wraparound }: TorusTopology): boolean[] {
  const { rule, multiple, dimensions } = wraparound;
  const fits = slice.map((length) => length > 1 && length % multiple === 0);
  switch (rule) {
    case 'per-axis':
      return fits;
    case 'every-axis':
      return fits.map(() => fits.every(Boolean));
    case 'none':
      return fits.map(() => false);
    case 'listed':
      return fits.map((one, dimension) => one && dimensions?.[dimension] === true);
  }
}

/** Whether lengths are k and 2k, both among them: what a twist is for. */
function canTwist(lengths: readonly number[]): boolean {
  const short = Math.min(...lengths);
  return lengths.includes(2 * short) && lengths.every((length) => length === short || length === 2 * short);
}

/**
 * A twisted torus: what leaves a short dimension over its end comes in at the other end, half of each long dimension
 * further. All dimensions then have ways of the same length across (Cámara et al. 2010, Twisted Torus Topologies for
 * Enhanced Interconnection Networks; Jouppi et al. 2023).
 */
export function shapeOf(lengths: readonly number[], topology: TorusTopology, twisted: boolean): TorusShape {
  const short = Math.min(...lengths);
  const shifts = lengths.map((length) =>
    lengths.map((other) => (twisted && length === short && other === 2 * short ? short : 0)),
  );
  return { lengths, wrapped: wrappedDimensions(lengths, topology), shifts, twisted };
}

/** Whether going on along a dimension leads back to where one began after its length. */
export const isRing = ({ wrapped, shifts }: TorusShape, dimension: number): boolean =>
  wrapped[dimension] === true && shifts[dimension]!.every((shift) => shift === 0);

const within = (slice: readonly number[], { largestSlice, wraparound }: TorusTopology): boolean => {
  const sorted = (lengths: readonly number[]) =>
    wraparound.rule === 'listed' ? lengths : lengths.toSorted((a, b) => a - b);
  const limits = sorted(largestSlice);
  return sorted(slice).every((length, index) => length <= limits[index]!);
};

const twistFits = (slice: readonly number[], topology: TorusTopology): boolean =>
  canTwist(slice) && wrappedDimensions(slice, topology).every(Boolean);

/**
 * @param chips on each of `slices`
 * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY; JOB_INVALID of a twist that this slice can't have
 */
export function checkSlice(
  slice: readonly number[],
  chips: number,
  slices: number,
  topology: TorusTopology,
  twisted: boolean,
): void {
  const fail = (expected: string): never => {
    throw new MeshwrightError('MESH_DOES_NOT_MULTIPLY', { place: 'slice', expected, got: formatSlice(slice) });
  };
  if (slice.length !== topology.dimensions || !slice.every((length) => Number.isInteger(length) && length > 0)) {
    fail(`${topology.dimensions} whole lengths, such as ${formatSlice(topology.largestSlice)}`);
  }
  if (!within(slice, topology)) fail(`at most ${formatSlice(topology.largestSlice)}`);
  const product = slice.reduce((total, length) => total * length, 1);
  if (product !== chips)
    fail(
      `lengths that multiply to the ${chips} chips of the mesh${slices === 1 ? '' : ` on each of ${slices} slices`}`,
    );
  if (twisted && !twistFits(slice, topology)) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'twist',
      expected: 'a slice of lengths k and 2k that wraps on every axis, as 4×4×8 or 8×8×4',
      got: formatSlice(slice),
      hint: 'give another slice, or leave the twist out',
    });
  }
}

export const divisors = (value: number): number[] =>
  Array.from({ length: value }, (_, index) => index + 1).filter((candidate) => value % candidate === 0);

function* factorizations(chips: number, dimensions: number, from: number): Generator<number[]> {
  if (dimensions === 1) {
    if (chips >= from) yield [chips];
    return;
  }
  for (const length of divisors(chips)) {
    if (length < from) continue;
    for (const rest of factorizations(chips / length, dimensions - 1, from === 0 ? 0 : length)) yield [length, ...rest];
  }
}

/**
 * All slices of so many chips that can be had.
 *
 * @param everyOrder whether it matters which dimension has which length; otherwise the shortest comes first
 */
export function* slicesOf(
  chips: number,
  topology: TorusTopology,
  { twisted, everyOrder }: { readonly twisted: boolean; readonly everyOrder: boolean },
): Generator<number[]> {
  const most = topology.largestSlice.reduce((total, length) => total * length, 1);
  if (chips > most) return;
  const from = everyOrder || topology.wraparound.rule === 'listed' ? 0 : 1;
  for (const slice of factorizations(chips, topology.dimensions, from)) {
    if (within(slice, topology) && (!twisted || twistFits(slice, topology))) yield slice;
  }
}
