/** Which torus dimensions, or parts of them, each mesh axis lies on, and the slice to choose where none was asked for. */
import type { TorusDimension, TorusTopology } from '../../src/hardware/index.js';
import { TORUS_DIMENSIONS } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { formatMesh, rankCount } from '../../src/mesh/index.js';
import type { TorusShape } from './torus-shape.js';
import { divisors, formatSlice, isRing, shapeOf, slicesOf } from './torus-shape.js';

/** The whole dimensions that mesh axes are to lie on, the most significant first; the other axes get what is left. */
export type Placement = Readonly<Partial<Record<AxisName, readonly TorusDimension[]>>>;

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

/** Whether the ring over a segment closes within the dimension's own ring. */
export const closes = ({ dimension, length, stride }: Segment, shape: TorusShape): boolean =>
  isRing(shape, dimension) && length * stride === shape.lengths[dimension] && length > 2;

function score(segments: readonly Segment[], shape: TorusShape): Score {
  // Rings of a segment whose chips are `stride` apart interleave, so as many share each link.
  const stages = segments.map((segment) => {
    const ring = closes(segment, shape);
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

/** Where an axis has its best all-gather on what is left of the slice; nothing where it doesn't fit there. */
function bestSegments(size: number, used: readonly number[], shape: TorusShape) {
  let best: { readonly segments: Segment[]; readonly score: Score } | undefined;
  const free = shape.lengths.map((length, dimension) => length / used[dimension]!);
  for (const lengths of splits(size, free)) {
    const segments = lengths.flatMap((length, dimension) =>
      length > 1 ? [{ dimension, length, stride: used[dimension]! }] : [],
    );
    const found = score(segments, shape);
    if (best === undefined || compareScores([found], [best.score]) < 0) best = { segments, score: found };
  }
  return best;
}

/** Places axes that were asked for first, then the others, the innermost first; nothing where they don't fit. */
export function placeOnTorus(mesh: Mesh, shape: TorusShape, wanted: Placement): TorusPlacement | undefined {
  const used = shape.lengths.map(() => 1);
  const segments = new Map<AxisName, readonly Segment[]>();
  const scores = new Map<AxisName, Score>();
  for (const { name, size } of mesh.axes) {
    const on = wanted[name];
    if (on === undefined) continue;
    const whole = on.flatMap((dimension): Segment[] => {
      const at = TORUS_DIMENSIONS.indexOf(dimension);
      const length = shape.lengths[at]!;
      used[at]! *= length;
      return length > 1 ? [{ dimension: at, length, stride: 1 }] : [];
    });
    if (whole.reduce((product, { length }) => product * length, 1) !== size) return undefined;
    segments.set(name, whole);
    scores.set(name, score(whole, shape));
  }
  const innermostFirst = mesh.axes.toReversed();
  for (const { name, size } of innermostFirst) {
    if (segments.has(name)) continue;
    const best = bestSegments(size, used, shape);
    if (best === undefined) return undefined;
    for (const { dimension, length } of best.segments) used[dimension]! *= length;
    segments.set(name, best.segments);
    scores.set(name, best.score);
  }
  return { segments, scores: innermostFirst.map(({ name }) => scores.get(name)!) };
}

/** @throws MeshwrightError JOB_INVALID of dimensions that the torus lacks, or that two axes want */
export function checkPlacement(placement: Placement, mesh: Mesh, { dimensions }: TorusTopology): void {
  const known = TORUS_DIMENSIONS.slice(0, dimensions);
  const fail = (
    expected: string,
    got: string,
    code: 'JOB_INVALID' | 'MESH_DOES_NOT_MULTIPLY' = 'JOB_INVALID',
  ): never => {
    throw new MeshwrightError(code, { place: 'placement', expected, got });
  };
  const seen = new Set<TorusDimension>();
  for (const [axis, wanted] of Object.entries(placement)) {
    if (!mesh.axes.some(({ name }) => name === axis)) {
      fail(`axes of the mesh that lies on a slice, ${formatMesh(mesh)}`, axis, 'MESH_DOES_NOT_MULTIPLY');
    }
    for (const dimension of wanted) {
      if (!known.includes(dimension)) fail(`dimensions of the torus, ${known.join(', ')}`, dimension);
      if (seen.has(dimension)) fail('each dimension for one axis', `${dimension} twice`);
      seen.add(dimension);
    }
  }
}

const formatPlacement = (placement: Placement): string =>
  Object.entries(placement)
    .map(([axis, dimensions]) => `${axis}:${dimensions.join('+')}`)
    .join(',');

/** @throws MeshwrightError MESH_DOES_NOT_MULTIPLY */
export function placementOn(mesh: Mesh, shape: TorusShape, wanted: Placement): TorusPlacement {
  const found = placeOnTorus(mesh, shape, wanted);
  if (found !== undefined) return found;
  const got = `a slice of ${formatSlice(shape.lengths)}`;
  const asked = Object.keys(wanted).length > 0;
  throw new MeshwrightError('MESH_DOES_NOT_MULTIPLY', {
    place: asked ? 'placement' : 'slice',
    expected: asked
      ? `dimensions whose lengths multiply to each axis of ${formatMesh(mesh)}, with ${formatPlacement(wanted)}`
      : formatMesh(mesh),
    got,
    ...(asked ? { hint: 'give another slice or placement, or leave the placement out' } : {}),
  });
}

/**
 * The slice on which rings over the mesh's axes gather fastest, the innermost axis' first; then that with the shortest
 * ways. Rings whose members are neighbours serve every algorithm and linear layers that go around in them; without
 * those, collectives that take several dimensions at once may be faster on another slice.
 */
export function bestSlice(
  mesh: Mesh,
  topology: TorusTopology,
  twisted: boolean,
  wanted: Placement,
): readonly number[] | undefined {
  let best: { slice: number[]; scores: readonly Score[]; girth: number } | undefined;
  const everyOrder = Object.keys(wanted).length > 0;
  for (const slice of slicesOf(rankCount(mesh), topology, { twisted, everyOrder })) {
    const scores = placeOnTorus(mesh, shapeOf(slice, topology, twisted), wanted)?.scores;
    if (scores === undefined) continue;
    const girth = slice.reduce((total, length) => total + length, 0);
    const order = best === undefined ? -1 : compareScores(scores, best.scores) || girth - best.girth;
    if (order < 0) best = { slice, scores, girth };
  }
  return best?.slice;
}
