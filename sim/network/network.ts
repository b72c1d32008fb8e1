/**
 * A machine's collectives: which algorithms there are for each axis, and which is taken. All groups of the machine run
 * the same collective at once, so a pattern has the flows of all of them. Patterns, algorithms and rates are kept with
 * the machine, for all programs that run on it.
 */
import { MeshwrightError } from '../../src/errors.js';
import type { OfferedAlgorithms } from '../../src/hardware/index.js';
import type { AxisName } from '../../src/mesh/index.js';
import type { CollectiveName } from '../../src/program/index.js';
import { TICKS_PER_SECOND } from '../engine/index.js';
import type { Machine } from '../machine/index.js';
import type { Algorithm, GroupCollective, Option, Pick, Workshop } from './algorithm.js';
import { workshopOf } from './algorithm.js';
import type { Level } from './axis.js';
import { levelsOf, wholeAxis } from './axis.js';
import { direct } from './direct.js';
import { halvingDoubling } from './halving-doubling.js';
import { hierarchical } from './hierarchical.js';
import { inSwitch } from './in-switch.js';
import { multiAxis } from './multi-axis.js';
import type { Shifts } from './permute.js';
import { permutes } from './permute.js';
import { bidirectionalRing, ring } from './ring.js';
import { createSharing } from './sharing.js';
import { timeAlone } from './time.js';
import { tree } from './tree.js';
import type {
  AlgorithmName,
  Channel,
  CollectiveRequest,
  CollectiveSchedule,
  Network,
  NetworkOptions,
  Sharing,
} from './types.js';

interface AxisAlgorithms {
  readonly algorithms: readonly Algorithm[];
  permute(shifts: Shifts): Channel[];
}

const algorithmsOn = (workshop: Workshop, level: Level): Algorithm[] =>
  [ring, bidirectionalRing, multiAxis, halvingDoubling, tree, direct, inSwitch]
    .map((make) => make(workshop, level))
    .filter((algorithm) => algorithm !== undefined);

function algorithmsOf(workshop: Workshop, axis: AxisName): AxisAlgorithms {
  const { machine } = workshop;
  const stages = machine.stages.get(axis);
  if (stages === undefined) {
    const expected = `an axis of the machine's mesh (${[...machine.stages.keys()].join(', ')})`;
    throw new MeshwrightError('INTERNAL', { place: 'collective', expected, got: axis });
  }
  const whole = wholeAxis(machine, axis, stages);
  const levels = levelsOf(whole);
  const algorithms = algorithmsOn(workshop, whole);
  const overLevels =
    levels.length > 1 &&
    hierarchical(
      levels,
      levels.map((level) => algorithmsOn(workshop, level)),
    );
  return { algorithms: overLevels ? [...algorithms, overLevels] : algorithms, permute: permutes(workshop, whole) };
}

/** Times are whole ticks, rounded at every step; what is known to be slower by more than that is left out. */
const ROUNDING = 1e-3;

function picker(sharing: Sharing, offered: OfferedAlgorithms | undefined): Pick {
  const fastest = (options: readonly Option[]): readonly Channel[] => {
    let best: { readonly channels: readonly Channel[]; readonly time: number } | undefined;
    for (const option of options.toSorted((a, b) => a.least - b.least)) {
      if (best !== undefined && option.least * TICKS_PER_SECOND * (1 - ROUNDING) > best.time) continue;
      const channels = option.channels();
      const time = timeAlone({ channels }, sharing);
      if (best === undefined || time < best.time) best = { channels, time };
    }
    return best!.channels;
  };
  const pick: Pick = {
    fastest,
    among: (algorithms, collective, heldBytes) =>
      fastest(
        allowed(algorithms, collective, offered).map(({ least, channels }) => ({
          least: least?.(collective, heldBytes) ?? 0,
          channels: () => channels(collective, heldBytes, pick),
        })),
      ),
  };
  return pick;
}

/** Of those that can do it, what the library has; all where that does not apply. */
function allowed(
  algorithms: readonly Algorithm[],
  collective: GroupCollective,
  offered: OfferedAlgorithms | undefined,
): readonly Algorithm[] {
  const able = algorithms.filter(({ collectives }) => collectives.includes(collective));
  const had = able.filter(({ name }) => offered?.[collective]?.includes(name));
  return had.length > 0 ? had : able;
}

class MachineNetworks {
  readonly sharing: Sharing;
  readonly #workshop: Workshop;
  readonly #axes = new Map<AxisName, AxisAlgorithms>();
  readonly #networks = new Map<string, Network>();

  constructor(machine: Machine) {
    this.sharing = createSharing(machine);
    this.#workshop = workshopOf(machine, this.sharing);
  }

  of(axis: AxisName): AxisAlgorithms {
    let found = this.#axes.get(axis);
    if (found === undefined) this.#axes.set(axis, (found = algorithmsOf(this.#workshop, axis)));
    return found;
  }

  network(options: NetworkOptions): Network {
    const key = JSON.stringify(options);
    let network = this.#networks.get(key);
    if (network === undefined) this.#networks.set(key, (network = this.#create(options)));
    return network;
  }

  #create({ algorithms: fixed = {}, preferred, offered }: NetworkOptions): Network {
    const { sharing } = this;
    const pick = picker(sharing, offered);
    /** By collective and axis, then by bytes. */
    const known = new Map<string, Map<number, CollectiveSchedule>>();

    const choose = (collective: GroupCollective, axis: AxisName, heldBytes: number): CollectiveSchedule => {
      const able = this.of(axis).algorithms.filter(({ collectives }) => collectives.includes(collective));
      const asked = fixed[collective];
      const only = able.find(({ name }) => name === (asked ?? preferred));
      if (asked !== undefined && only === undefined) refuse(collective, axis, asked, able);
      const among = only === undefined ? allowed(able, collective, offered) : [only];
      const schedules = among.map(({ name, least, channels }) => ({
        least: least?.(collective, heldBytes) ?? 0,
        algorithm: name,
        channels: () => channels(collective, heldBytes, pick),
      }));
      const made = new Map<readonly Channel[], AlgorithmName>();
      const best = pick.fastest(
        schedules.map(({ least, algorithm, channels }) => ({
          least,
          channels: () => {
            const found = channels();
            made.set(found, algorithm);
            return found;
          },
        })),
      );
      return { algorithm: made.get(best)!, channels: best };
    };

    return {
      sharing,
      collective: ({ name, axis, heldBytes, shifts = [] }: CollectiveRequest) => {
        if (name === 'permute') {
          const asked = fixed.permute;
          if (asked !== undefined && asked !== 'direct') refuse(name, axis, asked, [{ name: 'direct' }]);
          return { algorithm: 'direct', channels: this.of(axis).permute(shifts) };
        }
        const key = `${name} ${axis}`;
        let bySize = known.get(key);
        if (bySize === undefined) known.set(key, (bySize = new Map<number, CollectiveSchedule>()));
        let schedule = bySize.get(heldBytes);
        if (schedule === undefined) bySize.set(heldBytes, (schedule = choose(name, axis, heldBytes)));
        return schedule;
      },
    };
  }
}

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
