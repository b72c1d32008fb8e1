/** Nodes of chips behind a switch, or each joined to each, with network cards between the nodes. */
import type { NodeTopology } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { rankCount } from '../../src/mesh/index.js';
import { bytesPerSecond } from '../../src/units.js';
import { dealt } from './axis-order.js';
import { addCardNetwork } from './card-network.js';
import { FabricBuilder } from './fabric-builder.js';
import { nodeStages } from './node-stages.js';
import type { Fabric, Layout } from './types.js';

type NodeRoute = (from: number, to: number) => number[];

/** Each chip has a port into its node's switch. A way is two ports long; its latency stands at the first. */
function addSwitches(builder: FabricBuilder, chips: number, topology: NodeTopology): NodeRoute {
  const { chipsPerNode, nodePerChipPerDirection, nodeLatency } = topology;
  const rate = nodePerChipPerDirection.achievable;
  let hub = -1;
  for (let chip = 0; chip < chips; chip++) {
    if (chip % chipsPerNode === 0) hub = builder.vertex();
    builder.link(`chip ${chip} to node`, chip, hub, rate, nodeLatency);
    builder.link(`chip ${chip} from node`, hub, chip, rate);
  }
  return (from, to) => [from * 2, to * 2 + 1];
}

/** What a chip can send is divided over its links, one to each other chip of a whole node. */
function addPairs(builder: FabricBuilder, chips: number, topology: NodeTopology): NodeRoute {
  const { chipsPerNode, nodePerChipPerDirection, nodeLatency } = topology;
  const rate = bytesPerSecond(nodePerChipPerDirection.achievable / Math.max(1, chipsPerNode - 1));
  const first = new Int32Array(chips);
  for (let chip = 0; chip < chips; chip++) {
    first[chip] = builder.links.length;
    const start = chip - (chip % chipsPerNode);
    for (let other = start; other < Math.min(start + chipsPerNode, chips); other++) {
      if (other !== chip) builder.link(`chip ${chip} to ${other}`, chip, other, rate, nodeLatency);
    }
  }
  return (from, to) => [first[from]! + (to % chipsPerNode) - (to > from ? 1 : 0)];
}

/** @throws MeshwrightError MESH_DOES_NOT_MULTIPLY of a mesh larger than a node without network cards */
export function nodeLayout(topology: NodeTopology, mesh: Mesh, axisOrder?: readonly AxisName[]): Layout {
  const { chipsPerNode, reducesInSwitch, network } = topology;
  const chips = rankCount(mesh);
  if (network === undefined && chips > chipsPerNode) {
    throw new MeshwrightError('MESH_DOES_NOT_MULTIPLY', {
      place: 'mesh',
      expected: `at most the ${chipsPerNode} chips of a node, since the profile states no network between nodes`,
      got: `${chips} chips`,
      hint: 'use fewer chips, or state topology.network in the profile',
    });
  }
  const chipOf = dealt(mesh, axisOrder);
  return {
    computeSlowdown: 1,
    memorySlowdown: 1,
    fabric: fabricOf(topology, chips),
    stages: nodeStages(mesh, {
      chipsPerNode,
      inNode: 'node',
      nodeReduces: reducesInSwitch,
      networkReduces: network?.reducesInSwitch === true,
      chipOf,
    }),
    chipOf,
  };
}

const known = new WeakMap<NodeTopology, Map<number, Fabric>>();

/** The same for as many chips. */
function fabricOf(topology: NodeTopology, chips: number): Fabric {
  let byChips = known.get(topology);
  if (byChips === undefined) known.set(topology, (byChips = new Map()));
  let found = byChips.get(chips);
  if (found === undefined) byChips.set(chips, (found = createFabric(topology, chips)));
  return found;
}

function createFabric(topology: NodeTopology, chips: number): Fabric {
  const { kind, chipsPerNode, network } = topology;
  const builder = new FabricBuilder(chips);
  const inNode = kind === 'switch' ? addSwitches(builder, chips, topology) : addPairs(builder, chips, topology);
  const between =
    network === undefined || chips <= chipsPerNode
      ? undefined
      : addCardNetwork(builder, {
          owner: 'node',
          chips,
          chipsPerOwner: chipsPerNode,
          cardsPerOwner: network.cardsPerNode,
          cardPerDirection: network.cardPerDirection,
          latency: network.latency,
          ...(network.fatTree === undefined ? {} : { fatTree: network.fatTree }),
        });
  const node = (chip: number): number => Math.floor(chip / chipsPerNode);
  return {
    links: builder.links,
    vertices: builder.vertices,
    route: (from, to) => {
      if (from === to) return [];
      return node(from) === node(to) ? inNode(from, to) : between!(from, to);
    },
  };
}
