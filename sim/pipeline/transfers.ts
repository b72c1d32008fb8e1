/** What stages send each other, and how long it takes where all of them send at once. */
import { axisSize, stateOf } from '../../src/mesh/index.js';
import { bytes } from '../../src/units.js';
import type { TrainingPipeline, Program } from '../../src/program/index.js';
import { typeBytes } from '../../src/program/index.js';
import type { ScheduleShape, SlotKind } from '../../src/program/schedules/index.js';
import { placeOf, virtualStageCount } from '../../src/program/schedules/index.js';
import type { Ticks } from '../engine/index.js';
import type { Machine } from '../machine/index.js';
import { ticks } from '../engine/index.js';
import type { CollectiveSchedule, Network, Ways } from '../network/index.js';
import { timeAlone } from '../network/index.js';
import { Nodes } from './nodes.js';

export interface Transfer {
  readonly bytes: number;
  /** With the gather. */
  readonly duration: Ticks;
  readonly schedule: CollectiveSchedule;
  /** Where chips along `model` have sent a part each: how the receiving ones put them together. */
  readonly gather?: CollectiveSchedule;
}

export const STREAM = 'send:stream';
export const COTANGENT = 'send:stream-cotangent';

export const outputBytes = ({ outputs, values }: Program, wanted: (name: string) => boolean): number =>
  outputs.reduce((total, { name, value }) => total + (wanted(name) ? typeBytes(values[value]!.type) : 0), 0);

/** Whether all that has a name is the same, or a term of a sum, on every chip along `model`, and not sharded over them. */
const isWhole = ({ outputs, values }: Program, wanted: string): boolean =>
  outputs.every(
    ({ name, value }) => name !== wanted || typeof stateOf(values[value]!.type.states, 'model') !== 'number',
  );

/** The slot that sends a cotangent. */
const backwardKind = (slots: Readonly<Partial<Record<SlotKind, Program>>>): SlotKind =>
  slots.backward === undefined ? 'backward-input' : 'backward';

/** What a chip sends of a microbatch. */
export interface Sent {
  readonly bytes: number;
  /** Whether every chip along `model` sends the same. */
  readonly isWhole: boolean;
}

/** What virtual stages send their neighbours, as the programs of their slots have it. */
export const sentBy =
  (pipeline: TrainingPipeline) =>
  (from: number, to: number): Sent => {
    const { slots } = pipeline.virtual[from]!;
    const [kind, name] = to > from ? (['forward', STREAM] as const) : ([backwardKind(slots), COTANGENT] as const);
    return { bytes: outputBytes(slots[kind]!, (one) => one === name), isWhole: isWhole(slots[kind]!, name) };
  };

export class Transfers {
  readonly #network: Network;
  readonly #nodes: Nodes;
  readonly #sentBy: (from: number, to: number) => Sent;
  readonly #shape: ScheduleShape;
  /** Of chips that send the same, how many send a part each. */
  readonly #parts: number;
  /** What goes the same way, with its name. */
  readonly #along = new Map<string, readonly [Ways, string]>();
  readonly #known = new Map<string, Transfer>();
  /** By virtual stage and direction. */
  readonly #sent: (Transfer | undefined)[] = [];

  /** @param scattered whether of chips along `model` each sends a part of what all of them have */
  constructor(
    network: Network,
    machine: Machine,
    sent: (from: number, to: number) => Sent,
    shape: ScheduleShape,
    scattered = false,
  ) {
    this.#parts = scattered ? axisSize(machine.mesh, 'model') : 1;
    this.#network = network;
    this.#nodes = new Nodes(machine);
    this.#sentBy = sent;
    this.#shape = shape;
    // What goes the same way along the stages goes at the same time, in nodes and between them.
    const ways = new Map<string, Map<string, readonly [number, number]>>();
    for (let from = 0; from + 1 < virtualStageCount(shape); from++) {
      for (const [a, b] of [
        [from, from + 1],
        [from + 1, from],
      ] as const) {
        const way = this.#wayOf(a, b);
        if (way[0] === way[1]) continue;
        const key = this.#kindOf(a, b);
        const found = ways.get(key) ?? new Map<string, readonly [number, number]>();
        ways.set(key, found.set(way.join(), way));
      }
    }
    for (const [key, found] of ways) this.#along.set(key, [[...found.values()], key]);
  }

  /** From one virtual stage to a neighbour on another stage. */
  between(from: number, to: number): Transfer {
    return (this.#sent[from * 2 + (to > from ? 0 : 1)] ??= this.#send(from, to));
  }

  #send(from: number, to: number): Transfer {
    const { bytes: sent, isWhole: allSendIt } = this.#sentBy(from, to);
    const along = this.#along.get(this.#kindOf(from, to))!;
    if (this.#parts === 1 || !allSendIt) return this.#over(...along, sent);
    const part = this.#over(...along, sent / this.#parts);
    const heldBytes = bytes(sent / this.#parts);
    const gather = this.#network.collective({ name: 'all_gather', axis: 'model', heldBytes });
    return { ...part, gather, duration: ticks(part.duration + timeAlone(gather, this.#network.sharing)) };
  }

  /** Between two stages both ways at once: tied parameters' gradients. */
  exchange(a: number, b: number, sent: number): Transfer {
    return this.#over(
      [
        [a, b],
        [b, a],
      ],
      `${a} and ${b}`,
      sent,
    );
  }

  /** A number that is added up over all stages. */
  agreement(held: number): Transfer {
    const key = `agreement: ${held}`;
    let found = this.#known.get(key);
    if (found === undefined) {
      const schedule = this.#network.collective({ name: 'all_reduce', axis: 'pipe', heldBytes: bytes(held) });
      const duration = timeAlone(schedule, this.#network.sharing);
      this.#known.set(key, (found = { bytes: held, duration, schedule }));
    }
    return found;
  }

  #wayOf(from: number, to: number): readonly [number, number] {
    return [placeOf(this.#shape, from).stage, placeOf(this.#shape, to).stage];
  }

  /** Up or down the stages; from the last to the first goes with up, where chunks go around. */
  #direction(from: number, to: number): string {
    if (this.#shape.placement === 'interleaved') return to > from ? 'up' : 'down';
    const [a, b] = this.#wayOf(from, to);
    return b > a ? 'up' : 'down';
  }

  #kindOf(from: number, to: number): string {
    const place = this.#nodes.crosses(...this.#wayOf(from, to)) ? 'between nodes' : 'within nodes';
    return `${this.#direction(from, to)}, ${place}`;
  }

  #over(ways: Ways, name: string, sent: number): Transfer {
    const key = `${name}: ${sent}`;
    let found = this.#known.get(key);
    if (found === undefined) {
      const schedule = this.#network.transfer({ axis: 'pipe', ways, bytes: bytes(sent) });
      const alone = timeAlone(schedule, this.#network.sharing);
      const longest = Math.max(alone, ...ways.map(([from, to]) => this.#nodes.pairTicks(from, to, sent)));
      const duration = ticks(sent === 0 ? 0 : longest);
      this.#known.set(key, (found = { bytes: sent, duration, schedule }));
    }
    return found;
  }
}
