/**
 * A machine's collectives: which algorithms there are for each axis, and which is taken. All groups of the machine run
 * the same collective at once, so a pattern has the flows of all of them. Patterns, algorithms and rates are kept with
 * the machine's links, for all machines that have them and all programs that run there.
 */
import { MeshwrightError } from '../../src/errors.js';
import type { OfferedAlgorithms } from '../../src/hardware/index.js';
import type { AxisName, HostLane } from '../../src/mesh/index.js';
import type { CollectiveName } from '../../src/program/index.js';
import type { Seconds } from '../../src/units.js';
import { seconds } from '../../src/units.js';
import type { Machine } from '../machine/index.js';
import type { Algorithm, GroupCollective } from './algorithm.js';
import { round } from './algorithm.js';
import type { AxisAlgorithms } from './axis-algorithms.js';
import { axisAlgorithms } from './axis-algorithms.js';
import { MachinePattern } from './machine-pattern.js';
import { allowed, pickFastest } from './pick.js';
import { sharingOf } from './sharing.js';
import type {
  AlgorithmName,
  Channel,
  CollectiveRequest,
  CollectiveSchedule,
  Network,
  NetworkOptions,
  Pattern,
  Sharing,
} from './types.js';

class MachineNetworks {
  readonly sharing: Sharing;
  readonly #machine: Machine;
  readonly #axes = new Map<AxisName, AxisAlgorithms>();
  readonly #networks = new Map<string, Network>();
  readonly #hostPatterns = new Map<HostLane, Pattern>();

  constructor(machine: Machine) {
    this.sharing = sharingOf(machine.fabric);
    this.#machine = machine;
  }

  of(axis: AxisName): AxisAlgorithms {
    let found = this.#axes.get(axis);
    if (found === undefined) this.#axes.set(axis, (found = axisAlgorithms(this.#machine, axis)));
    return found;
  }

  #hostPattern(way: HostLane): Pattern {
    let pattern = this.#hostPatterns.get(way);
    if (pattern === undefined) {
      const { chips, fabric } = this.#machine;
      const groups = [Array.from({ length: chips }, (_, chip) => chip)];
      const flowsOf = (all: readonly (readonly number[])[]) =>
        all.flat().map((chip) => ({ from: chip, to: chip, share: 1, host: way }));
      this.#hostPatterns.set(way, (pattern = new MachinePattern(fabric, chips, { groups, flowsOf })));
    }
    return pattern;
  }

  network(options: NetworkOptions): Network {
    const key = JSON.stringify(options);
    let network = this.#networks.get(key);
    if (network === undefined) this.#networks.set(key, (network = this.#create(options, key)));
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
    const stages = this.#machine.stages.get(axis)!;
    if (offered === undefined || stages.some(({ kind }) => kind !== 'node')) return found;
    const others = found.filter(({ name }) => name !== 'tree');
    return others.length > 0 ? others : found;
  }

  #create({ algorithms: fixed = {}, preferred, offered }: NetworkOptions, optionsKey: string): Network {
    const { sharing } = this;
    const { topology } = this.#machine.hardware;
    const begun = startingAfter(topology.kind === 'torus' ? seconds(0) : topology.collectiveStart);
    const efforts = topology.kind === 'shared-memory' ? topology.transferEfforts : undefined;
    const asHard = (name: CollectiveName, channels: readonly Channel[]): readonly Channel[] =>
      withEffort(channels, efforts?.[name]);
    const pick = pickFastest(sharing, offered);

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
        const { schedules } = this.of(axis);
        const key = `${name} ${optionsKey}`;
        let bySize = schedules.get(key);
        if (bySize === undefined) schedules.set(key, (bySize = new Map<number, CollectiveSchedule>()));
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
