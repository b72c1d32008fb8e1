/** What algorithms run over: the whole of a mesh axis, or a level of it, which is what lies along things of one kind. */
import type { AxisName } from '../../src/mesh/index.js';
import { groups } from '../../src/mesh/index.js';
import type { Machine, Stage } from '../machine/index.js';

export interface Level {
  readonly stages: readonly Stage[];
  readonly length: number;
  /** All groups of the machine; members in the order of the axis, the first stage the most significant. */
  readonly groups: readonly (readonly number[])[];
}

const lengthOf = (stages: readonly Stage[]): number => stages.reduce((product, stage) => product * stage.length, 1);

/** The whole axis as one. */
export function wholeAxis(machine: Machine, axis: AxisName, stages: readonly Stage[]): Level {
  const members = groups(machine.mesh, axis).map((ranks) => ranks.map((rank) => machine.chipOf(rank)));
  return { stages, length: lengthOf(stages), groups: members };
}

/** Neighbouring stages of one kind make a level. */
export function levelsOf(whole: Level): Level[] {
  const runs: Stage[][] = [];
  for (const stage of whole.stages) {
    if (runs.at(-1)?.[0]?.kind === stage.kind) runs.at(-1)!.push(stage);
    else runs.push([stage]);
  }
  let inner = whole.length;
  return runs.map((stages) => {
    const length = lengthOf(stages);
    const outer = whole.length / inner;
    inner /= length;
    const found = whole.groups.flatMap((members) =>
      Array.from({ length: outer * inner }, (_, index) => {
        const first = Math.floor(index / inner) * length * inner + (index % inner);
        return Array.from({ length }, (_, member) => members[first + member * inner]!);
      }),
    );
    return { stages, length, groups: found };
  });
}
