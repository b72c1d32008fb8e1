/** Which torus dimensions, or parts of them, each mesh axis lies on, and the slice to choose where none was asked for. */
import type { TorusTopology } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { formatMesh, rankCount } from '../../src/mesh/index.js';

/** `length` chips of a dimension, `stride` apart. */
export interface Segment {
  readonly dimension: number;
  readonly length: number;
  readonly stride: number;
}

export interface TorusPlacement {
  readonly segments: ReadonlyMap<AxisName, readonly Segment[]>;
  /** Of each axis, innermost first: what is compared to choose among placements. */
  readonly scores: readonly Score[];
}

/** Time of an all-gather of one byte at one byte a second and link, and hops of its latency. */
interface Score {
  readonly transfer: number;
  readonly hops: number;
}

export const formatSlice = (slice: readonly number[]): string => slice.join('×');

/** Which dimensions of a slice are closed to rings. */
export function wrappedDimensions(slice: readonly number[], { wraparound }: TorusTopology): boolean[] {
  const fits = slice.map((length) => length > 1 && length % wraparound.multiple === 0);
  return wraparound.rule === 'per-axis' ? fits : fits.map(() => fits.every(Boolean));
}

/** Whether the ring over a segment closes within the dimension's own ring. */
export const closes = ({ dimension, length, stride }: Segment, slice: readonly number[], wrapped: readonly boolean[]) =>
  wrapped[dimension] === true && length * stride === slice[dimension] && length > 2;

function score(segments: readonly Segment[], slice: readonly number[], wrapped: readonly boolean[]): Score {
  // Rings of a segment whose chips are `stride` apart interleave, so as many share each link.
  const stages = segments.map((segment) => {
    const ring = closes(segment, slice, wrapped);
    const { length, stride } = segment;
    return { length, perByte: stride / (ring ? 2 : 1), hops: ring ? stride : (length - 1) * stride };
  });
  // Slow stages first, while what is gathered is still small.
  stages.sort((a, b) => b.perByte - a.perByte);
  let held = 1 / stages.reduce((product, { length }) => product * length, 1);
  let transfer = 0;
  let hops = 0;
  for (const stage of stages) {
    transfer += (stage.length - 1) * held * stage.perByte;
    hops += (stage.length - 1) * stage.hops;
    held *= stage.length;
  }
  return { transfer, hops };
}

const EQUAL = 1e-9;

function compareScores(a: readonly Score[], b: readonly Score[]): number {
  for (const [index, { transfer }] of a.entries()) {
    const difference = transfer - b[index]!.transfer;
    if (Math.abs(difference) > EQUAL) return difference;
  }
  const hops = (scores: readonly Score[]): number => scores.reduce((total, one) => total + one.hops, 0);
  return hops(a) - hops(b);
}

const divisors = (value: number): number[] =>
  Array.from({ length: value }, (_, index) => index + 1).filter((candidate) => value % candidate === 0);

/** All ways to write `size` as a product of divisors of `free`, one a dimension. */
function* splits(size: number, free: readonly number[]): Generator<number[]> {
  const [first, ...rest] = free;
  if (first === undefined) {
    if (size === 1) yield [];
    return;
  }
  for (const length of divisors(first)) {
    if (size % length === 0) for (const others of splits(size / length, rest)) yield [length, ...others];
  }
}

/** Places the innermost axis first, each where an all-gather over it is fastest. */
export function placeOnTorus(mesh: Mesh, slice: readonly number[], wrapped: readonly boolean[]): TorusPlacement {
  const used = slice.map(() => 1);
  const segments = new Map<AxisName, readonly Segment[]>();
  const scores: Score[] = [];
  for (const { name, size } of mesh.axes.toReversed()) {
    let best: { segments: Segment[]; score: Score } | undefined;
    const free = slice.map((length, dimension) => length / used[dimension]!);
    for (const lengths of splits(size, free)) {
      const candidate = lengths.flatMap((length, dimension) =>
        length > 1 ? [{ dimension, length, stride: used[dimension]! }] : [],
      );
      const found = score(candidate, slice, wrapped);
      if (best === undefined || compareScores([found], [best.score]) < 0) best = { segments: candidate, score: found };
    }
    if (best === undefined) {
      const got = `a slice of ${formatSlice(slice)}`;
      throw new MeshwrightError('MESH_DOES_NOT_MULTIPLY', { place: 'slice', expected: formatMesh(mesh), got });
    }
    for (const { dimension, length } of best.segments) used[dimension]! *= length;
    segments.set(name, best.segments);
    scores.push(best.score);
  }
  return { segments, scores };
}

const within = (slice: readonly number[], largest: readonly number[]): boolean => {
  const limits = largest.toSorted((a, b) => a - b);
  return slice.toSorted((a, b) => a - b).every((length, index) => length <= limits[index]!);
};

/** @throws MeshwrightError MESH_DOES_NOT_MULTIPLY */
export function checkSlice(slice: readonly number[], chips: number, topology: TorusTopology): void {
  const fail = (expected: string): never => {
    throw new MeshwrightError('MESH_DOES_NOT_MULTIPLY', { place: 'slice', expected, got: formatSlice(slice) });
  };
  if (slice.length !== topology.dimensions || !slice.every((length) => Number.isInteger(length) && length > 0)) {
    fail(`${topology.dimensions} whole lengths, such as ${formatSlice(topology.largestSlice)}`);
  }
  const product = slice.reduce((total, length) => total * length, 1);
  if (product !== chips) fail(`lengths that multiply to the ${chips} chips of the mesh`);
  if (!within(slice, topology.largestSlice)) fail(`at most ${formatSlice(topology.largestSlice)}`);
}

function* shapes(chips: number, dimensions: number, from: number): Generator<number[]> {
  if (dimensions === 1) {
    if (chips >= from) yield [chips];
    return;
  }
  for (const length of divisors(chips)) {
    if (length >= from) for (const rest of shapes(chips / length, dimensions - 1, length)) yield [length, ...rest];
  }
}

/**
 * The slice on which the mesh's all-gathers are fastest, the innermost axis' first; then that with the shortest ways.
 *
 * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY when no slice has that many chips
 */
export function bestSlice(mesh: Mesh, topology: TorusTopology): readonly number[] {
  const chips = rankCount(mesh);
  let best: { slice: number[]; scores: readonly Score[]; girth: number } | undefined;
  const most = topology.largestSlice.reduce((total, length) => total * length, 1);
  for (const slice of chips > most ? [] : shapes(chips, topology.dimensions, 1)) {
    if (!within(slice, topology.largestSlice)) continue;
    const { scores } = placeOnTorus(mesh, slice, wrappedDimensions(slice, topology));
    const girth = slice.reduce((total, length) => total + length, 0);
    const order = best === undefined ? -1 : compareScores(scores, best.scores) || girth - best.girth;
    if (order < 0) best = { slice, scores, girth };
  }
  if (best !== undefined) return best.slice;
  throw new MeshwrightError('MESH_DOES_NOT_MULTIPLY', {
    place: 'mesh',
    expected: `a number of chips that a slice of at most ${formatSlice(topology.largestSlice)} can have`,
    got: `${chips} (${formatMesh(mesh)})`,
  });
}
