/** How many slices a mesh lies on, which shape they have, and which mesh axis goes across them. */
import type { TorusTopology } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { createMesh, formatMesh, rankCount } from '../../src/mesh/index.js';
import type { Placement } from './torus-placement.js';
import { bestSlice, checkPlacement, placeOnTorus } from './torus-placement.js';
import { checkSlice, formatSlice, shapeOf, slicesOf } from './torus-shape.js';

/** What may be asked for; what is absent is chosen. */
export interface TorusOptions {
  readonly slice?: readonly number[];
  readonly slices?: number;
  readonly twist?: boolean;
  readonly placement?: Placement;
}

export interface SlicedMesh {
  readonly slices: number;
  readonly slice: readonly number[];
  /** The mesh on one slice. */
  readonly inner: Mesh;
  /** The axis whose outermost part lies across slices; nothing with one slice. */
  readonly cut?: AxisName;
}

const chipsOf = (slice: readonly number[]): number => slice.reduce((product, length) => product * length, 1);

/** The outermost axis that so many slices divide, without that part. */
function cutMesh(mesh: Mesh, slices: number): Pick<SlicedMesh, 'inner' | 'cut'> | undefined {
  if (slices === 1) return { inner: mesh };
  const cut = mesh.axes.find(({ size }) => size % slices === 0)?.name;
  if (cut === undefined) return undefined;
  const sizes = mesh.axes.map(({ name, size }) => [name, name === cut ? size / slices : size] as const);
  return { cut, inner: createMesh(Object.fromEntries(sizes)) };
}

function checkSlices(slices: number, topology: TorusTopology, mesh: Mesh): void {
  const most = topology.dataCenterNetwork?.mostSlices ?? 1;
  if (slices <= most && rankCount(mesh) % slices === 0) return;
  throw new MeshwrightError('JOB_INVALID', {
    place: 'slices',
    expected:
      slices <= most
        ? `a count that divides the ${rankCount(mesh)} chips of the mesh`
        : topology.dataCenterNetwork === undefined
          ? '1, since the profile states no data-center network that joins slices'
          : `at most ${most}, the most slices that the profile's data-center network joins`,
    got: String(slices),
  });
}

const uncut = (mesh: Mesh, slices: number): MeshwrightError =>
  new MeshwrightError('MESH_DOES_NOT_MULTIPLY', {
    place: 'slices',
    expected: `an axis of ${formatMesh(mesh)} that is a multiple of the ${slices} slices, to go across them`,
    got: 'none',
  });

const hasAxes = (placement: Placement, { axes }: Mesh): boolean =>
  Object.keys(placement).every((axis) => axes.some(({ name }) => name === axis));

/**
 * As few slices as hold the mesh, unless a count is asked for; each in the shape where rings are fastest, unless one is asked for.
 *
 * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY, JOB_INVALID
 */
export function chooseSlices(topology: TorusTopology, mesh: Mesh, options: TorusOptions): SlicedMesh {
  const { slice: asked, twist: twisted = false, placement = {} } = options;
  if (twisted && !topology.canTwist) {
    const expected = "false, since the profile doesn't say that slices can be twisted (topology.canTwist)";
    throw new MeshwrightError('JOB_INVALID', { place: 'twist', expected, got: 'true' });
  }
  checkPlacement(placement, mesh, topology);
  if (options.slices !== undefined) checkSlices(options.slices, topology, mesh);
  const chips = rankCount(mesh);
  const fitsOne = chips <= chipsOf(topology.largestSlice);
  // A shape that is asked for is of one slice where one can hold the mesh: another count is to be asked for, too.
  const most = asked !== undefined && fitsOne ? 1 : (topology.dataCenterNetwork?.mostSlices ?? 1);
  const counts =
    options.slices === undefined ? Array.from({ length: most }, (_, index) => index + 1) : [options.slices];
  for (const slices of counts) {
    if (
      chips % slices !== 0 ||
      (options.slices === undefined && asked !== undefined && chipsOf(asked) * slices !== chips)
    ) {
      continue;
    }
    const parts = cutMesh(mesh, slices);
    if (parts === undefined) {
      if (options.slices === undefined) continue;
      throw uncut(mesh, slices);
    }
    // More slices may cut another axis, and leave one that is to be placed.
    if (slices === counts.at(-1)) checkPlacement(placement, parts.inner, topology);
    else if (!hasAxes(placement, parts.inner)) continue;
    if (asked !== undefined) {
      checkSlice(asked, chips / slices, slices, topology, twisted);
      return { slices, slice: asked, ...parts };
    }
    const slice = bestSlice(parts.inner, topology, twisted, placement);
    if (slice !== undefined) return { slices, slice, ...parts };
  }
  if (asked !== undefined) checkSlice(asked, chips / (options.slices ?? 1), options.slices ?? 1, topology, twisted);
  throw noSlice(topology, mesh, options);
}

/** Every shape of slice, the shortest length first, that a mesh can lie on, on as many slices as `chooseSlices` takes. */
export function sliceShapes(topology: TorusTopology, mesh: Mesh, options: TorusOptions): (readonly number[])[] {
  const { slices, inner } = chooseSlices(topology, mesh, options);
  const { twist: twisted = false, placement = {} } = options;
  const everyOrder = Object.keys(placement).length > 0;
  return [...slicesOf(rankCount(mesh) / slices, topology, { twisted, everyOrder })].filter(
    (slice) => placeOnTorus(inner, shapeOf(slice, topology, twisted), placement) !== undefined,
  );
}

function noSlice(topology: TorusTopology, mesh: Mesh, options: TorusOptions): MeshwrightError {
  const { twist: twisted = false, placement = {}, slices } = options;
  const most = topology.dataCenterNetwork?.mostSlices ?? 1;
  const largest = formatSlice(topology.largestSlice);
  const pieces = slices ?? most;
  const placed = Object.entries(placement).map(([axis, on]) => `${axis} on ${on.join('·')}`);
  const wishes = [...(twisted ? ['twisted'] : []), ...(placed.length > 0 ? [`with ${placed.join(' and ')}`] : [])];
  return new MeshwrightError('MESH_DOES_NOT_MULTIPLY', {
    place: 'mesh',
    expected: `a number of chips that ${pieces > 1 ? `${slices === undefined ? 'up to ' : ''}${pieces} slices` : 'a slice'} of at most ${largest} can have${wishes.length > 0 ? `, ${wishes.join(', ')}` : ''}`,
    got: `${rankCount(mesh)} (${formatMesh(mesh)})`,
  });
}
