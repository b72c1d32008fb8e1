/**
 * The algorithms of a mesh axis. Axes whose groups are the same chips of the same links share them, with the patterns that
 * they are made of, whatever else is on their meshes: a search meets thousands of meshes and few axes.
 */
import { MeshwrightError } from '../../src/errors.js';
import type { AxisName } from '../../src/mesh/index.js';
import type { Fabric, Machine, Stage } from '../machine/index.js';
import type { Algorithm, Workshop } from './algorithm.js';
import type { Level } from './axis.js';
import { levelsOf, wholeAxis } from './axis.js';
import { direct } from './direct.js';
import { halvingDoubling } from './halving-doubling.js';
import { hierarchical } from './hierarchical.js';
import { inSwitch } from './in-switch.js';
import { inSwitchOverNodes } from './in-switch-nodes.js';
import { multiAxis } from './multi-axis.js';
import type { Shifts } from './permute.js';
import { movesOver, permutes } from './permute.js';
import { bidirectionalRing, ring } from './ring.js';
import { tree } from './tree.js';
import type { Channel, CollectiveSchedule, Pattern, Ways } from './types.js';
import { workshopOf } from './workshop.js';

export interface AxisAlgorithms {
  readonly algorithms: readonly Algorithm[];
  permute(shifts: Shifts): Channel[];
  moves(ways: Ways): Pattern;
  /** What was chosen before: by collective and the network's options, then by bytes. */
  readonly schedules: Map<string, Map<number, CollectiveSchedule>>;
}

/** Of those that are as fast the first is taken. */
const algorithmsOn = (workshop: Workshop, level: Level, overLevels?: Algorithm): Algorithm[] =>
  [
    ...[ring, bidirectionalRing, multiAxis, inSwitch, inSwitchOverNodes].map((make) => make(workshop, level)),
    overLevels,
    ...[halvingDoubling, tree, direct].map((make) => make(workshop, level)),
  ].filter((algorithm) => algorithm !== undefined);

function algorithmsOf(workshop: Workshop, whole: Level): AxisAlgorithms {
  const levels = levelsOf(whole);
  const overLevels = hierarchical(levels, () => levels.map((level) => algorithmsOn(workshop, level)));
  return {
    algorithms: algorithmsOn(workshop, whole, overLevels),
    permute: permutes(workshop, whole),
    moves: movesOver(workshop, whole),
    schedules: new Map(),
  };
}

type Groups = Level['groups'];

/** Group by group, chip by chip. */
const sameGroups = (a: Groups, b: Groups): boolean =>
  a.length === b.length &&
  a.every((members, index) => {
    const others = b[index]!;
    return members.length === others.length && members.every((chip, place) => chip === others[place]);
  });

const sameLevel = (a: Level, b: Level): boolean =>
  sameGroups(a.groups, b.groups) && a.stages.every(({ groups }, index) => sameGroups(groups, b.stages[index]!.groups));

/** What levels that are the same have in common for sure. */
const levelKey = ({ stages, groups }: Level): string =>
  `${stages.map(({ label, kind, length, bidirectional, reducesInSwitch }: Stage) => [label, kind, length, bidirectional, reducesInSwitch].join()).join(';')} ${groups[0]!.join()}`;

interface KnownAxis {
  readonly whole: Level;
  readonly algorithms: AxisAlgorithms;
}

const known = new WeakMap<Fabric, Map<string, KnownAxis[]>>();

/** The same for axes that lie alike on the same links. */
export function axisAlgorithms(machine: Machine, axis: AxisName): AxisAlgorithms {
  const stages = machine.stages.get(axis);
  if (stages === undefined) {
    const expected = `an axis of the machine's mesh (${[...machine.stages.keys()].join(', ')})`;
    throw new MeshwrightError('INTERNAL', { place: 'collective', expected, got: axis });
  }
  const fabric = machine.fabric.withoutHosts ?? machine.fabric;
  const whole = wholeAxis(machine, axis, stages);
  let byKey = known.get(fabric);
  if (byKey === undefined) known.set(fabric, (byKey = new Map()));
  const key = levelKey(whole);
  const alike = byKey.get(key) ?? [];
  const same = alike.find((one) => sameLevel(one.whole, whole));
  if (same !== undefined) return same.algorithms;
  const algorithms = algorithmsOf(workshopOf({ ...machine, fabric }), whole);
  byKey.set(key, [...alike, { whole, algorithms }]);
  return algorithms;
}
