/**
 * A machine's collectives: which algorithms there are for each axis, and which is taken. All groups of the machine run
 * the same collective at once, so a pattern has the flows of all of them. Patterns, algorithms and rates are kept with
 * the machine, for all programs that run on it.
 */
import { MeshwrightError } from '../../src/errors.js';
import type { OfferedAlgorithms } from '../../src/hardware/index.js';
import type { AxisName, HostLane } from '../../src/mesh/index.js';
import type { CollectiveName } from '../../src/program/index.js';
import type { Seconds } from '../../src/units.js';
import { seconds } from '../../src/units.js';
import type { Machine } from '../machine/index.js';
import type { Algorithm, GroupCollective, Workshop } from './algorithm.js';
import type { Level } from './axis.js';
import { round } from './algorithm.js';
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
import { allowed, pickFastest } from './pick.js';
import { createSharing } from './sharing.js';
import { tree } from './tree.js';
import type {
  AlgorithmName,
  Channel,
  CollectiveRequest,
  CollectiveSchedule,
  Network,
  NetworkOptions,
  Pattern,
  Sharing,
  Ways,
} from './types.js';
import { workshopOf } from './workshop.js';

interface AxisAlgorithms {
  readonly algorithms: readonly Algorithm[];
  permute(shifts: Shifts): Channel[];
  moves(ways: Ways): Pattern;
}

/** Of those that are as fast the first is taken. */
const algorithmsOn = (workshop: Workshop, level: Level, overLevels?: Algorithm): Algorithm[] =>
  [
    ...[ring, bidirectionalRing, multiAxis, inSwitch, inSwitchOverNodes].map((make) => make(workshop, level)),
    overLevels,
    ...[halvingDoubling, tree, direct].map((make) => make(workshop, level)),
  ].filter((algorithm) => algorithm !== undefined);

function algorithmsOf(workshop: Workshop, axis: AxisName): AxisAlgorithms {
  const { machine } = workshop;
  const stages = machine.stages.get(axis);
  if (stages === undefined) {
    const expected = `an axis of the machine's mesh (${[...machine.stages.keys()].join(', ')})`;
    throw new MeshwrightError('INTERNAL', { place: 'collective', expected, got: axis });
  }
  const whole = wholeAxis(machine, axis, stages);
  const levels = levelsOf(whole);
  const overLevels = hierarchical(levels, () => levels.map((level) => algorithmsOn(workshop, level)));
  return {
    algorithms: algorithmsOn(workshop, whole, overLevels),
    permute: permutes(workshop, whole),
    moves: movesOver(workshop, whole),
  };
}

class MachineNetworks {
  readonly sharing: Sharing;
  readonly #workshop: Workshop;
  readonly #axes = new Map<AxisName, AxisAlgorithms>();
  readonly #networks = new Map<string, Network>();
  readonly #hostPatterns = new Map<HostLane, Pattern>();

  constructor(machine: Machine) {
    this.sharing = createSharing(machine);
    this.#workshop = workshopOf(machine);
  }

  of(axis: AxisName): AxisAlgorithms {
    let found = this.#axes.get(axis);
    if (found === undefined) this.#axes.set(axis, (found = algorithmsOf(this.#workshop, axis)));
    return found;
  }

  #hostPattern(way: HostLane): Pattern {
    let pattern = this.#hostPatterns.get(way);
    if (pattern === undefined) {
      const { chips } = this.#workshop.machine;
      const groups = [Array.from({ length: chips }, (_, chip) => chip)];
      const flowsOf = (all: readonly (readonly number[])[]) =>
        all.flat().map((chip) => ({ from: chip, to: chip, share: 1, host: way }));
      this.#hostPatterns.set(way, (pattern = this.#workshop.pattern({ groups, flowsOf })));
    }
    return pattern;
  }

  network(options: NetworkOptions): Network {
    const key = JSON.stringify(options);
    let network = this.#networks.get(key);
    if (network === undefined) this.#networks.set(key, (network = this.#create(options)));
    return network;
  }

  /** A library's trees are between nodes, and chains inside them, which take the steps of a ring (NCCL, graph/trees.cc). */
  #allowed(
    axis: AxisName,
    able: readonly Algorithm[],
    collective: GroupCollective,
    offered: OfferedAlgorithms | undefined,
  ): readonly Algorithm[] {
    const found = allowed(able, collective, offered);
    const stages = this.#workshop.machine.stages.get(axis)!;
    if (offered === undefined || stages.some(({ kind }) => kind !== 'node')) return found;
    const others = found.filter(({ name }) => name !== 'tree');
    return others.length > 0 ? others : found;
  }

  #create({ algorithms: fixed = {}, preferred, offered }: NetworkOptions): Network {
    const { sharing } = this;
    const { topology } = this.#workshop.machine.hardware;
    const begun = startingAfter(topology.kind === 'torus' ? seconds(0) : topology.collectiveStart);
    const efforts = topology.kind === 'shared-memory' ? topology.transferEfforts : undefined;
    const asHard = (name: CollectiveName, channels: readonly Channel[]): readonly Channel[] =>
      withEffort(channels, efforts?.[name]);
    const pick = pickFastest(sharing, offered);
    /** By collective and axis, then by bytes. */
    const known = new Map<string, Map<number, CollectiveSchedule>>();

    const choose = (collective: GroupCollective, axis: AxisName, heldBytes: number): CollectiveSchedule => {
      const able = this.of(axis).algorithms.filter(({ collectives }) => collectives.includes(collective));
      const asked = fixed[collective];
      const only = able.find(({ name }) => name === (asked ?? preferred));
      if (asked !== undefined && only === undefined) refuse(collective, axis, asked, able);
      const among = only === undefined ? this.#allowed(axis, able, collective, offered) : [only];
      const made = new Map<readonly Channel[], AlgorithmName>();
      const best = pick.fastest(
        among.map(({ name, channels }) => (inner) => {
          const found = channels(collective, heldBytes, inner);
          made.set(found, name);
          return found;
        }),
      );
      return { algorithm: made.get(best)!, channels: begun(asHard(collective, best)) };
    };

    return {
      sharing,
      collective: ({ name, axis, heldBytes, shifts = [] }: CollectiveRequest) => {
        if (name === 'permute') {
          const asked = fixed.permute;
          if (asked !== undefined && asked !== 'direct') refuse(name, axis, asked, [{ name: 'direct' }]);
          return { algorithm: 'direct', channels: begun(asHard(name, this.of(axis).permute(shifts))) };
        }
        const key = `${name} ${axis}`;
        let bySize = known.get(key);
        if (bySize === undefined) known.set(key, (bySize = new Map<number, CollectiveSchedule>()));
        let schedule = bySize.get(heldBytes);
        if (schedule === undefined) bySize.set(heldBytes, (schedule = choose(name, axis, heldBytes)));
        return schedule;
      },
      host: (way, bytes) => ({ algorithm: 'direct', channels: [[round(this.#hostPattern(way), 1, bytes)]] }),
      transfer: ({ axis, ways, bytes }) => ({
        algorithm: 'direct',
        channels: begun([[round(this.of(axis).moves(ways), 1, bytes)]]),
      }),
    };
  }
}

/** Channels whose bytes take as long as more of them would. */
const withEffort = (channels: readonly Channel[], effort = 1): readonly Channel[] =>
  effort === 1
    ? channels
    : channels.map((rounds) => rounds.map((one) => ({ ...one, effort: effort * (one.effort ?? 1) })));

/** Channels that move nothing for so long. All algorithms need the same, so that none is chosen for it. */
export const startingAfter =
  (latency: Seconds) =>
  (channels: readonly Channel[]): readonly Channel[] =>
    latency === 0
      ? channels
      : channels.map((rounds) => {
          const first = rounds.find(({ steps }) => steps > 0);
          return first === undefined ? rounds : [{ ...round(first.pattern, 1, 0), latency }, ...rounds];
        });

function refuse(
  collective: CollectiveName,
  axis: AxisName,
  got: AlgorithmName,
  able: readonly { readonly name: AlgorithmName }[],
): never {
  throw new MeshwrightError('PLAN_INVALID', {
    place: `collective ${collective}`,
    expected: `an algorithm that applies to the ${axis} axis on this machine (${able.map(({ name }) => name).join(', ')})`,
    got,
  });
}

const networks = new WeakMap<Machine, MachineNetworks>();

/** The same network for the same machine and options. */
export function createNetwork(machine: Machine, options: NetworkOptions = {}): Network {
  let found = networks.get(machine);
  if (found === undefined) networks.set(machine, (found = new MachineNetworks(machine)));
  return found.network(options);
}
