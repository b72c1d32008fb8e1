/**
 * The logical mesh: named axes, the coordinates of each rank, and the groups that a collective runs over.
 * It says nothing of chips or links; placing axes on a topology is the machine's business.
 */
import { MeshwrightError } from '../errors.js';

/**
 * The axes that values lie along, which a plan can name, from the outermost in. A batch is split over `replica` and
 * `data`, the tokens of an example over `sequence` (context parallelism: Grattafiori et al. 2024, §3.3.2), layers over
 * `model`. What `data` shards (parameters, gradients, optimizer state) every `replica` has a copy of, so that only sums of
 * gradients go over it: hybrid sharding (Zhao et al. 2023, §3.2.2), the pods of PaLM (Chowdhery et al. 2022, §4).
 */
export const AXIS_NAMES = ['replica', 'data', 'sequence', 'model'] as const;
/** In the order of a mesh, outermost first. Along `pipe` lie the stages of a pipeline; a program knows nothing of it. */
export const MESH_AXES = ['pipe', ...AXIS_NAMES] as const;
export type AxisName = (typeof MESH_AXES)[number];

/** The two ways of a chip's link to its host, and what the host does for it. */
export const HOST_LANES = ['to-host', 'from-host', 'host-update'] as const;
export type HostLane = (typeof HOST_LANES)[number];
/** What takes turns, and goes on beside a chip's kernels: what is sent over an axis, and what the host has to do with. */
export type Lane = AxisName | HostLane;

export interface Axis {
  readonly name: AxisName;
  readonly size: number;
}

/** Axes in row-major order: the last one varies fastest with the rank. Axes of size 1 are not listed. */
export interface Mesh {
  readonly axes: readonly Axis[];
}

/** Builds a mesh; axes of size 1 are dropped, since nothing can be sharded over them. */
export function createMesh(sizes: { readonly [A in AxisName]?: number | undefined }): Mesh {
  for (const name of MESH_AXES) {
    const size = sizes[name] ?? 1;
    if (!Number.isInteger(size) || size < 1) {
      throw new MeshwrightError('JOB_INVALID', {
        place: `mesh.${name}`,
        expected: 'a whole number of at least 1',
        got: String(size),
      });
    }
  }
  return { axes: MESH_AXES.map((name) => ({ name, size: sizes[name] ?? 1 })).filter(({ size }) => size > 1) };
}

/** What one stage of a pipeline is: the mesh without `pipe`. */
export const stageMesh = ({ axes }: Mesh): Mesh => ({ axes: axes.filter(({ name }) => name !== 'pipe') });

export const axisSize = (mesh: Mesh, name: AxisName): number => mesh.axes.find((axis) => axis.name === name)?.size ?? 1;
export const rankCount = (mesh: Mesh): number => mesh.axes.reduce((product, axis) => product * axis.size, 1);

/** The axes that a batch is split over, the outermost first. */
export const BATCH_AXES = ['replica', 'data'] as const satisfies readonly AxisName[];

/** Parts that a batch's examples are split into. */
export const batchParts = (mesh: Mesh): number =>
  BATCH_AXES.reduce((product, name) => product * axisSize(mesh, name), 1);

/** Ranks that have the same parameters and other tokens, whose gradients are summed. */
export const gradientParts = (mesh: Mesh): number => batchParts(mesh) * axisSize(mesh, 'sequence');

/**
 * In what order something is summed over several axes: the farther apart an axis lies, the later, when the others may have
 * dealt it out and least of it is left. Gathers go the other way.
 */
const SUM_ORDER: readonly AxisName[] = ['sequence', 'data', 'model', 'replica'];
export const sumOrder = (mesh: Mesh): AxisName[] => SUM_ORDER.filter((name) => axisSize(mesh, name) > 1);

/**
 * In what order a dimension is dealt to the axes that share it: as sums deal out, so that gathers can undo them, but for a
 * batch, whose replicas come first.
 */
const DEAL_ORDER: readonly AxisName[] = ['replica', 'sequence', 'data', 'model'];
export const dealOrder = (mesh: Mesh): Axis[] =>
  DEAL_ORDER.flatMap((name) => mesh.axes.filter((axis) => axis.name === name));

/** Distance in ranks between neighbours along an axis. */
/** All axes of a mesh, those named innermost and in their order; the others before them in the mesh's. */
export function axesInOrder({ axes }: Mesh, innermost: readonly AxisName[] = []): readonly AxisName[] {
  const own = axes.map(({ name }) => name);
  return [...own.filter((name) => !innermost.includes(name)), ...innermost.filter((name) => own.includes(name))];
}

function stride(mesh: Mesh, name: AxisName): number {
  const index = mesh.axes.findIndex((axis) => axis.name === name);
  return mesh.axes.slice(index + 1).reduce((product, axis) => product * axis.size, 1);
}

/** The position of `rank` along one axis, 0 for an axis that the mesh does not have. */
export const coordinate = (mesh: Mesh, rank: number, name: AxisName): number =>
  axisSize(mesh, name) === 1 ? 0 : Math.floor(rank / stride(mesh, name)) % axisSize(mesh, name);

/** The ranks that differ from `rank` only along `name`, in the axis' order. */
export function group(mesh: Mesh, rank: number, name: AxisName): number[] {
  const size = axisSize(mesh, name);
  if (size === 1) return [rank];
  const step = stride(mesh, name);
  const first = rank - coordinate(mesh, rank, name) * step;
  return Array.from({ length: size }, (_, index) => first + index * step);
}

/** All groups along an axis, each in the axis' order. */
export const groups = (mesh: Mesh, name: AxisName): number[][] =>
  Array.from({ length: rankCount(mesh) }, (_, rank) => rank)
    .filter((rank) => coordinate(mesh, rank, name) === 0)
    .map((rank) => group(mesh, rank, name));

/** `data=64,model=16`, or `data=1` for a mesh of one chip. */
export const formatMesh = (mesh: Mesh): string =>
  mesh.axes.map(({ name, size }) => `${name}=${size}`).join(',') || 'data=1';
