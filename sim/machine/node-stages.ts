/** Where the mesh's axes lie on nodes: ranks fill them one after the other, so an axis is cut where its nodes end. */
import type { AxisName, Mesh } from '../../src/mesh/index.js';
import { groups } from '../../src/mesh/index.js';
import type { Stage, StageKind } from './types.js';

export interface NodeStageOptions {
  readonly chipsPerNode: number;
  readonly inNode: StageKind;
  readonly nodeReduces: boolean;
  readonly networkReduces: boolean;
  /** Ranks fill nodes in their own order unless given. */
  readonly chipOf?: (rank: number) => number;
}

/** Chips along each axis, `stride` apart, cut where their node ends if all nodes hold equal shares of the group. */
export function nodeStages(mesh: Mesh, options: NodeStageOptions): Map<AxisName, Stage[]> {
  const { chipsPerNode, inNode, nodeReduces, networkReduces, chipOf = (rank) => rank } = options;
  const stages = new Map<AxisName, Stage[]>();
  const stage = (label: string, kind: StageKind, rings: readonly (readonly number[])[]): Stage => ({
    label,
    kind,
    reducesInSwitch: kind === 'network' ? networkReduces : nodeReduces,
    length: rings[0]!.length,
    bidirectional: false,
    groups: rings,
  });
  const nodeOf = (chip: number): number => Math.floor(chip / chipsPerNode);
  const inOneNode = (group: readonly number[]): boolean => nodeOf(group[0]!) === nodeOf(group.at(-1)!);
  for (const { name, size } of mesh.axes) {
    const all = groups(mesh, name).map((ranks) => ranks.map(chipOf));
    const stride = all[0]![1]! - all[0]![0]!;
    const perNode = chipsPerNode / stride;
    if (stride % chipsPerNode === 0) stages.set(name, [stage(`${size} nodes`, 'network', all)]);
    else if (all.every(inOneNode)) stages.set(name, [stage(`${size} in a node`, inNode, all)]);
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
