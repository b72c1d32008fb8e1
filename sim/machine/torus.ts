/** Slices of a torus, one or several over the data-center network, and the mesh on them. */
import type { TorusTopology } from '../../src/hardware/index.js';
import { TORUS_DIMENSIONS } from '../../src/hardware/index.js';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { coordinate, rankCount } from '../../src/mesh/index.js';
import { addCardNetwork } from './card-network.js';
import { FabricBuilder } from './fabric-builder.js';
import type { SlicedMesh, TorusOptions } from './slices.js';
import { chooseSlices } from './slices.js';
import { addTorus, stridesOf } from './torus-fabric.js';
import type { Segment } from './torus-placement.js';
import { closes, placementOn } from './torus-placement.js';
import type { TorusShape } from './torus-shape.js';
import { shapeOf } from './torus-shape.js';
import type { Layout, Stage } from './types.js';

type Links = Pick<Layout, 'fabric' | 'lattice'>;

const known = new WeakMap<TorusTopology, Map<string, Links>>();

/** The same for the same slices. */
function torusFabric(shape: TorusShape, slices: number, topology: TorusTopology): Links {
  let bySlice = known.get(topology);
  if (bySlice === undefined) known.set(topology, (bySlice = new Map()));
  const key = `${slices} × ${JSON.stringify(shape)}`;
  let found = bySlice.get(key);
  if (found === undefined) bySlice.set(key, (found = createFabric(shape, slices, topology)));
  return found;
}

function createFabric(shape: TorusShape, slices: number, topology: TorusTopology): Links {
  const chipsPerSlice = shape.lengths.reduce((product, length) => product * length, 1);
  const chips = chipsPerSlice * slices;
  const builder = new FabricBuilder(chips);
  const { route: inSlice, lattice } = addTorus(builder, shape, slices, topology);
  const { dataCenterNetwork } = topology;
  const between =
    slices === 1 || dataCenterNetwork === undefined
      ? undefined
      : addCardNetwork(builder, {
          owner: 'host',
          chips,
          chipsPerOwner: dataCenterNetwork.chipsPerHost,
          cardsPerOwner: 1,
          cardPerDirection: dataCenterNetwork.hostPerDirection,
          latency: dataCenterNetwork.latency,
        });
  const sliceOf = (chip: number): number => Math.floor(chip / chipsPerSlice);
  return {
    fabric: {
      links: builder.links,
      vertices: builder.vertices,
      route: (from, to) => (sliceOf(from) === sliceOf(to) ? inSlice(from, to) : between!(from, to)),
    },
    ...(lattice === undefined ? {} : { lattice }),
  };
}

function stageOf(segment: Segment, shape: TorusShape, chips: number): Stage {
  const { dimension, length, stride } = segment;
  const { lengths } = shape;
  const chipStride = stridesOf(lengths)[dimension]!;
  const groups: number[][] = [];
  for (let chip = 0; chip < chips; chip++) {
    const position = Math.floor(chip / chipStride) % lengths[dimension]!;
    if (Math.floor(position / stride) % length !== 0) continue;
    groups.push(Array.from({ length }, (_, index) => chip + index * stride * chipStride));
  }
  const ring = closes(segment, shape);
  const whole = length === lengths[dimension];
  const part = whole ? `${length}` : `${length} of ${lengths[dimension]}${stride > 1 ? `, ${stride} apart` : ''}`;
  const label = `${TORUS_DIMENSIONS[dimension]} (${part}${ring ? ', wrapped' : ''})`;
  return { label, kind: 'torus', reducesInSwitch: false, length, bidirectional: ring, groups };
}

/** The same chip of every slice. */
const acrossSlices = (slices: number, chipsPerSlice: number): Stage => ({
  label: `${slices} slices`,
  kind: 'network',
  reducesInSwitch: false,
  length: slices,
  bidirectional: false,
  groups: Array.from({ length: chipsPerSlice }, (_, chip) =>
    Array.from({ length: slices }, (_one, slice) => slice * chipsPerSlice + chip),
  ),
});

/**
 * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY or JOB_INVALID when slice, slices, twist or placement can't be; PLAN_INVALID
 *   when the mesh is cut nowhere
 */
export function torusLayout(topology: TorusTopology, mesh: Mesh, options: TorusOptions): Layout {
  const { twist: twisted = false, placement = {} } = options;
  const { slices, slice, inner, cut }: SlicedMesh = chooseSlices(topology, mesh, options);
  const shape = shapeOf(slice, topology, twisted);
  const { segments } = placementOn(inner, shape, placement);
  const strides = stridesOf(slice);
  const chipsPerSlice = rankCount(inner);
  const stages = new Map<AxisName, Stage[]>();
  for (const { name } of mesh.axes) {
    const inSlice = (segments.get(name) ?? []).map((segment) => stageOf(segment, shape, slices * chipsPerSlice));
    stages.set(name, name === cut ? [acrossSlices(slices, chipsPerSlice), ...inSlice] : inSlice);
  }
  const chipOf = (rank: number): number => {
    let chip = 0;
    for (const { name } of mesh.axes) {
      let rest = coordinate(mesh, rank, name);
      for (const { dimension, length, stride } of (segments.get(name) ?? []).toReversed()) {
        chip += (rest % length) * stride * strides[dimension]!;
        rest = Math.floor(rest / length);
      }
      chip += rest * chipsPerSlice;
    }
    return chip;
  };
  const links = torusFabric(shape, slices, topology);
  return { slice, slices, computeSlowdown: 1, memorySlowdown: 1, ...links, stages, chipOf };
}
