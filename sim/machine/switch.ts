/**
 * Chips behind switches: each has a port into its node's switch, and one into the network between nodes. A node may
 * also be a single machine whose chips are threads that copy through shared memory.
 */
import type { SharedMemoryTopology, SwitchTopology } from '../../src/hardware/index.js';
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { groups, rankCount } from '../../src/mesh/index.js';
import type { BytesPerSecond } from '../../src/units.js';
import { bytesPerSecond, seconds } from '../../src/units.js';
import type { Fabric, Layout, Link, Stage, StageKind } from './types.js';

function switchFabric(chips: number, topology: SwitchTopology): Fabric {
  const { chipsPerNode, nodePerChipPerDirection, nodeLatency, networkPerChipPerDirection, networkLatency } = topology;
  const links: Link[] = [];
  const node = (chip: number): number => Math.floor(chip / chipsPerNode);
  const network = chips + node(chips - 1) + 1;
  const port = (chip: number, name: string, rate: BytesPerSecond, latency: Link['latency']): void => {
    const hub = name.endsWith('network') ? network : chips + node(chip);
    const ends = name.startsWith('to') ? { from: chip, to: hub } : { from: hub, to: chip };
    links.push({ name: `chip ${chip} ${name}`, ...ends, bytesPerSecond: rate, latency });
  };
  // A way is two ports long; its latency stands at the first.
  for (let chip = 0; chip < chips; chip++) {
    port(chip, 'to node', nodePerChipPerDirection.achievable, nodeLatency);
    port(chip, 'from node', nodePerChipPerDirection.achievable, seconds(0));
    port(chip, 'to network', networkPerChipPerDirection.achievable, networkLatency);
    port(chip, 'from network', networkPerChipPerDirection.achievable, seconds(0));
  }
  return {
    links,
    vertices: network + 1,
    route: (from, to) => {
      if (from === to) return [];
      return node(from) === node(to) ? [from * 4, to * 4 + 1] : [from * 4 + 2, to * 4 + 3];
    },
  };
}

/** Ranks along each axis, `stride` apart, cut where their node ends if all nodes hold equal shares of the group. */
function switchStages(mesh: Mesh, chipsPerNode: number, inNode: StageKind): Map<AxisName, Stage[]> {
  const stages = new Map<AxisName, Stage[]>();
  for (const { name, size } of mesh.axes) {
    const all = groups(mesh, name);
    const stride = all[0]![1]! - all[0]![0]!;
    const perNode = chipsPerNode / stride;
    const stage = (label: string, kind: StageKind, rings: readonly (readonly number[])[]): Stage => ({
      label,
      kind,
      reducesInSwitch: false,
      length: rings[0]!.length,
      bidirectional: false,
      groups: rings,
    });
    if (stride % chipsPerNode === 0) stages.set(name, [stage(`${size} nodes`, 'network', all)]);
    else if (perNode % size === 0) stages.set(name, [stage(`${size} in a node`, inNode, all)]);
    else if (Number.isInteger(perNode) && size % perNode === 0) {
      const nodes = size / perNode;
      const across = all.flatMap((group) =>
        Array.from({ length: perNode }, (_, index) => group.filter((_chip, at) => at % perNode === index)),
      );
      const inside = all.flatMap((group) =>
        Array.from({ length: nodes }, (_, index) => group.slice(index * perNode, (index + 1) * perNode)),
      );
      stages.set(name, [stage(`${nodes} nodes`, 'network', across), stage(`${perNode} in a node`, inNode, inside)]);
    } else stages.set(name, [stage(`${size}, across nodes unevenly`, 'network', all)]);
  }
  return stages;
}

export function switchLayout(topology: SwitchTopology, mesh: Mesh): Layout {
  return {
    computeSlowdown: 1,
    fabric: switchFabric(rankCount(mesh), topology),
    stages: switchStages(mesh, topology.chipsPerNode, 'node'),
    chipOf: (rank) => rank,
  };
}

/** Threads on `cores` cores: more than one core at work slows each, more threads than cores take turns. */
export function sharedMemoryLayout(topology: SharedMemoryTopology, mesh: Mesh): Layout {
  const { cores, busyCoreRateFraction, transferPerChip, messageLatency } = topology;
  const chips = rankCount(mesh);
  const turns = Math.max(1, chips / cores);
  const busy = cores === 1 ? 0 : (Math.min(chips, cores) - 1) / (cores - 1);
  const links = Array.from({ length: chips }, (_, chip) => ({
    name: `chip ${chip} copies`,
    from: chip,
    to: chips,
    bytesPerSecond: bytesPerSecond(transferPerChip.achievable / turns),
    latency: messageLatency,
  }));
  return {
    computeSlowdown: turns / (1 - (1 - busyCoreRateFraction) * busy),
    fabric: { links, vertices: chips + 1, route: (from, to) => (from === to ? [] : [from]) },
    stages: switchStages(mesh, chips, 'host'),
    chipOf: (rank) => rank,
  };
}
