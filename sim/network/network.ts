/**
 * Collectives as steps of neighbour transfers over the real links. All groups of the machine run the same collective at
 * once, so a step is one pattern of all their flows. Along an axis with several stages (torus dimensions; nodes and the
 * network) they go stage after stage: a gather over the slow ones first, while there is little to move, a scatter last.
 */
import { MeshwrightError } from '../../src/errors.js';
import type { AxisName } from '../../src/mesh/index.js';
import { groups } from '../../src/mesh/index.js';
import type { Bytes } from '../../src/units.js';
import { bytes } from '../../src/units.js';
import type { Machine, Stage } from '../machine/index.js';
import { createPattern } from './pattern.js';
import { patternSeconds } from './time.js';
import type { CollectiveRequest, Flow, Network, Pattern, Round } from './types.js';

const around = (index: number, length: number): number => ((index % length) + length) % length;

/** Every member sends to its neighbour; where the ring closes, half of it each way round. */
function ringFlows({ groups: rings, bidirectional }: Stage): Flow[] {
  return rings.flatMap((ring, group) =>
    ring.flatMap((from, index) => {
      const next = ring[around(index + 1, ring.length)]!;
      if (!bidirectional) return [{ from, to: next, share: 1, group }];
      const previous = ring[around(index - 1, ring.length)]!;
      return [
        { from, to: next, share: 0.5, group },
        { from, to: previous, share: 0.5, group },
      ];
    }),
  );
}

/** Every member sends to those `distance` places before and after it. */
function distanceFlows({ groups: rings, length }: Stage, distance: number): Flow[] {
  const ways = 2 * distance === length ? [distance] : [distance, -distance];
  return rings.flatMap((ring, group) =>
    ring.flatMap((from, index) =>
      ways.map((way) => ({ from, to: ring[around(index + way, length)]!, share: 1, group })),
    ),
  );
}

export function createNetwork(machine: Machine): Network {
  const patterns = new Map<string, Pattern>();
  const cached = (key: string, flows: () => Flow[]): Pattern => {
    let pattern = patterns.get(key);
    if (pattern === undefined) {
      pattern = createPattern(machine.fabric, flows());
      patterns.set(key, pattern);
    }
    return pattern;
  };

  const stagesOf = (axis: AxisName): readonly Stage[] => {
    const stages = machine.stages.get(axis);
    if (stages !== undefined) return stages;
    const expected = `an axis of the machine's mesh (${[...machine.stages.keys()].join(', ')})`;
    throw new MeshwrightError('INTERNAL', { place: 'collective', expected, got: axis });
  };
  const ringOf = (axis: AxisName, stage: Stage): Pattern =>
    cached(`ring ${axis} ${stage.label}`, () => ringFlows(stage));
  /** The slowest first, by what a large message takes. */
  const LARGE = 1e9;
  const slowestFirst = (axis: AxisName): Stage[] =>
    stagesOf(axis).toSorted((a, b) => patternSeconds(ringOf(axis, b), LARGE) - patternSeconds(ringOf(axis, a), LARGE));

  const gather = (axis: AxisName, heldBytes: number): Round[] => {
    let held = heldBytes;
    return slowestFirst(axis).map((stage) => {
      const round = { pattern: ringOf(axis, stage), steps: stage.length - 1, bytes: bytes(held) };
      held *= stage.length;
      return round;
    });
  };
  const scatter = (axis: AxisName, heldBytes: number): Round[] => {
    const length = stagesOf(axis).reduce((product, stage) => product * stage.length, 1);
    return gather(axis, heldBytes / length).toReversed();
  };
  const exchange = (axis: AxisName, heldBytes: number): Round[] =>
    stagesOf(axis).flatMap((stage) =>
      Array.from({ length: Math.floor(stage.length / 2) }, (_, index) => ({
        pattern: cached(`exchange ${axis} ${stage.label} ${index + 1}`, () => distanceFlows(stage, index + 1)),
        steps: 1,
        bytes: bytes(heldBytes / stage.length),
      })),
    );
  /** All shifts at once: opposite ones use both directions of the links. */
  const permute = (axis: AxisName, heldBytes: Bytes, shifts: NonNullable<CollectiveRequest['shifts']>): Round[] => {
    const shares = shifts.map(({ bytes: held }) => (heldBytes === 0 ? 1 / shifts.length : held / heldBytes));
    const key = shifts.map(({ by }, index) => `${by}:${shares[index]}`).join(' ');
    const pattern = cached(`permute ${axis} ${key}`, () =>
      groups(machine.mesh, axis).flatMap((members, group) =>
        members.flatMap((rank, index) =>
          shifts.map(({ by }, shift) => ({
            from: machine.chipOf(rank),
            to: machine.chipOf(members[around(index + by, members.length)]!),
            share: shares[shift]!,
            group,
          })),
        ),
      ),
    );
    return [{ pattern, steps: 1, bytes: heldBytes }];
  };

  const roundsOf = ({ name, axis, heldBytes, shifts = [] }: CollectiveRequest): Round[] => {
    switch (name) {
      case 'all_gather':
        return gather(axis, heldBytes);
      case 'reduce_scatter':
        return scatter(axis, heldBytes);
      case 'all_reduce': {
        const length = stagesOf(axis).reduce((product, stage) => product * stage.length, 1);
        return [...scatter(axis, heldBytes), ...gather(axis, heldBytes / length)];
      }
      case 'all_to_all':
        return exchange(axis, heldBytes);
      case 'permute':
        return permute(axis, heldBytes, shifts);
    }
  };

  return { collective: (request) => ({ algorithm: 'ring', channels: [roundsOf(request)] }) };
}
