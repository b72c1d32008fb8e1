/**
 * The flows of a step in arrays. A flow here is one of a pattern's flows in one channel of one axis: whatever runs over
 * that axis, its chips come to it one after the other, so that each is under way at most once at a time. A round says
 * how much each kind of flow moves.
 */
import { seconds } from '../../src/units.js';
import { toTicks } from '../engine/index.js';
import type { Fabric } from '../machine/index.js';
import type { CollectiveSchedule, Pattern } from '../network/index.js';
import { workTicks } from '../network/index.js';

/** A pattern as arrays, by flow; flows over no link take no time and are left out. */
interface PatternArrays {
  readonly flows: Int32Array;
  /** Links that more than one flow of the pattern takes. */
  readonly crowded: Uint8Array;
  readonly hops: number;
}

/** Where flows of a pattern are in the arrays of all. */
interface Slot {
  readonly pattern: Pattern;
  readonly arrays: PatternArrays;
  readonly channel: number;
  readonly firstFlow: number;
  readonly firstHop: number;
  /** Of its chips in `incidentStart`. */
  readonly firstChip: number;
}

export interface FlowTables {
  readonly flows: number;
  /** Which channel of which chip (channel × chips + chip) a flow comes from and goes to. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly kind: Int32Array;
  /** The link of a flow that has only one; −1 otherwise. */
  readonly onlyLink: Int32Array;
  /** The links of flow f are path[pathStart[f]] up to path[pathStart[f + 1]]. */
  readonly pathStart: Int32Array;
  readonly path: Int32Array;
  /** Whether flows of the same pattern are on its links too. */
  readonly crowded: Uint8Array;
  /** The flows into and out of a chip, in a place (a round's `firstChip` + chip): incident[incidentStart[place]] up to incident[incidentStart[place + 1]]. */
  readonly incidentStart: Int32Array;
  readonly incident: Int32Array;
  readonly rounds: {
    readonly firstChip: Int32Array;
    readonly steps: Int32Array;
    /** Plus a flow's kind: its row. */
    readonly firstRow: Int32Array;
  };
  /** What a flow moves, how fast where nothing but its pattern is on its links, and how many ticks that and the way take. */
  readonly rows: {
    readonly bytes: Float64Array;
    readonly rate: Float64Array;
    /** Ticks of the transfer, not rounded. */
    readonly work: Float64Array;
    readonly transfer: Float64Array;
    readonly latency: Float64Array;
  };
}

function arraysOf({ flows, paths }: Pattern, { links }: Fabric): PatternArrays {
  const uses = new Uint8Array(links.length);
  for (const link of paths.links) if (uses[link]! < 2) uses[link]!++;
  const kept = Int32Array.from(flows.keys()).filter((index) => paths.starts[index] !== paths.starts[index + 1]);
  const isCrowded = (flow: number): boolean => {
    for (let hop = paths.starts[flow]!; hop < paths.starts[flow + 1]!; hop++)
      if (uses[paths.links[hop]!]! > 1) return true;
    return false;
  };
  return {
    flows: kept,
    crowded: Uint8Array.from(kept, (flow) => (isCrowded(flow) ? 1 : 0)),
    hops: kept.reduce((total, flow) => total + paths.starts[flow + 1]! - paths.starts[flow]!, 0),
  };
}

/** What runs over one axis: all its schedules, and which channel of the machine is the first of theirs. */
export interface LaneSchedules {
  readonly firstChannel: number;
  readonly schedules: readonly CollectiveSchedule[];
}

/** The rounds of each channel of a schedule: from `rounds[k]` up to `rounds[k + 1]`. */
export type ScheduleRounds = readonly number[];

interface PlacedRound {
  readonly slot: Slot;
  readonly steps: number;
  readonly bytes: number;
  readonly effort: number;
  readonly latency: number | undefined;
}

/** Gives each pattern of each channel its place. */
class Placement {
  readonly slots: Slot[] = [];
  readonly rounds: PlacedRound[] = [];
  flows = 0;
  hops = 0;
  readonly #chips: number;
  readonly #fabric: Fabric;
  readonly #patterns = new Map<Pattern, PatternArrays>();
  readonly #slotOf = new Map<Pattern, Slot[]>();

  constructor(chips: number, fabric: Fabric) {
    this.#chips = chips;
    this.#fabric = fabric;
  }

  schedule({ channels }: CollectiveSchedule, firstChannel: number): ScheduleRounds {
    return [
      this.rounds.length,
      ...channels.map((rounds, index) => {
        for (const { pattern, steps, bytes, effort = 1, latency } of rounds)
          if (steps > 0)
            this.rounds.push({ slot: this.#slot(pattern, firstChannel + index), steps, bytes, effort, latency });
        return this.rounds.length;
      }),
    ];
  }

  #slot(pattern: Pattern, channel: number): Slot {
    const slots = this.#slotOf.get(pattern) ?? [];
    const found = slots.find((slot) => slot.channel === channel);
    if (found !== undefined) return found;
    const arrays = this.#patterns.get(pattern) ?? arraysOf(pattern, this.#fabric);
    this.#patterns.set(pattern, arrays);
    const firstChip = this.slots.length * (this.#chips + 1);
    const slot = { pattern, arrays, channel, firstFlow: this.flows, firstHop: this.hops, firstChip };
    this.flows += arrays.flows.length;
    this.hops += arrays.hops;
    this.slots.push(slot);
    this.#slotOf.set(pattern, [...slots, slot]);
    return slot;
  }
}

function fill(tables: FlowTables, slot: Slot, chips: number): void {
  const { pattern, arrays, channel, firstFlow, firstChip } = slot;
  const { from, to, kind, onlyLink, pathStart, path, crowded, incidentStart, incident } = tables;
  const { starts: pathStarts, links } = pattern.paths;
  const first = channel * chips;
  crowded.set(arrays.crowded, firstFlow);
  const counts = new Int32Array(chips + 1);
  let hop = slot.firstHop;
  arrays.flows.forEach((index, at) => {
    const flow = firstFlow + at;
    const ends = pattern.flows[index]!;
    kind[flow] = pattern.kindOf[index]!;
    from[flow] = first + ends.from;
    to[flow] = first + ends.to;
    counts[ends.from]!++;
    counts[ends.to]!++;
    pathStart[flow] = hop;
    const [start, end] = [pathStarts[index]!, pathStarts[index + 1]!];
    onlyLink[flow] = end - start === 1 ? links[start]! : -1;
    for (let at = start; at < end; at++) path[hop++] = links[at]!;
  });
  // Each flow is in two lists.
  let place = 2 * firstFlow;
  for (let chip = 0; chip <= chips; chip++) {
    incidentStart[firstChip + chip] = place;
    place += counts[chip]!;
  }
  const next = incidentStart.slice(firstChip, firstChip + chips);
  arrays.flows.forEach((index, at) => {
    const ends = pattern.flows[index]!;
    incident[next[ends.from]!++] = firstFlow + at;
    incident[next[ends.to]!++] = firstFlow + at;
  });
}

export function flowTables(
  chips: number,
  fabric: Fabric,
  lanes: readonly LaneSchedules[],
): { readonly tables: FlowTables; readonly roundsOf: ReadonlyMap<CollectiveSchedule, ScheduleRounds> } {
  const placement = new Placement(chips, fabric);
  const roundsOf = new Map<CollectiveSchedule, ScheduleRounds>();
  for (const { firstChannel, schedules } of lanes)
    for (const schedule of schedules) roundsOf.set(schedule, placement.schedule(schedule, firstChannel));
  const { slots, rounds, flows, hops } = placement;

  const rows = rounds.flatMap(({ slot: { pattern }, bytes, effort, latency: given }) =>
    pattern.kinds.map(({ share, rate, latency }) => {
      const moved = bytes * share;
      return { moved, rate, work: workTicks(moved, rate, effort), latency: toTicks(seconds(given ?? latency)) };
    }),
  );
  const firstRow = new Int32Array(rounds.length);
  rounds.forEach(({ slot }, index) => {
    if (index + 1 < rounds.length) firstRow[index + 1] = firstRow[index]! + slot.pattern.kinds.length;
  });
  const tables: FlowTables = {
    flows,
    from: new Int32Array(flows),
    to: new Int32Array(flows),
    kind: new Int32Array(flows),
    onlyLink: new Int32Array(flows),
    pathStart: new Int32Array(flows + 1),
    path: new Int32Array(hops),
    crowded: new Uint8Array(flows),
    incidentStart: new Int32Array(slots.length * (chips + 1)),
    incident: new Int32Array(2 * flows),
    rounds: {
      firstChip: Int32Array.from(rounds, ({ slot }) => slot.firstChip),
      steps: Int32Array.from(rounds, ({ steps }) => steps),
      firstRow,
    },
    rows: {
      bytes: Float64Array.from(rows, ({ moved }) => moved),
      rate: Float64Array.from(rows, ({ rate }) => rate),
      work: Float64Array.from(rows, ({ work }) => work),
      transfer: Float64Array.from(rows, ({ work }) => Math.round(work)),
      latency: Float64Array.from(rows, ({ latency }) => latency),
    },
  };
  for (const slot of slots) fill(tables, slot, chips);
  tables.pathStart[flows] = hops;
  return { tables, roundsOf };
}
