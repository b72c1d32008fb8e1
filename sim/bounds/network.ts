/**
 * The least time that a program's collectives need on a machine's links, whatever the algorithm: every chip has to send
 * and get some bytes, and some have to cross every cut.
 */
import type { AxisName } from '../../src/mesh/index.js';
import { axisSize } from '../../src/mesh/index.js';
import type { Attributes, CollectiveName, Program } from '../../src/program/index.js';
import { forEachOp, isCollective, typeBytes } from '../../src/program/index.js';
import type { Machine } from '../machine/index.js';
import type { Cut } from './cuts.js';
import { cutsOf, peakFactor } from './cuts.js';

/** All runs of one kind of collective over one axis: bytes held before by each rank; of a permute, by distance. */
export interface Demand {
  readonly name: CollectiveName;
  readonly axis: AxisName;
  /** Places along the axis that the bytes move; 0 but for permutes. */
  readonly by: number;
  heldBytes: number;
}

export function demandsOf(program: Program): Demand[] {
  const demands = new Map<string, Demand>();
  const add = (name: CollectiveName, axis: AxisName, by: number, held: number): void => {
    const key = `${name} ${axis} ${by}`;
    const demand = demands.get(key) ?? { name, axis, by, heldBytes: 0 };
    demand.heldBytes += held;
    demands.set(key, demand);
  };
  forEachOp(program.ops, (op, times) => {
    if (!isCollective(op.name)) return;
    const { axis } = op.attributes as { axis: AxisName };
    const size = axisSize(program.mesh, axis);
    op.operands.forEach((id, index) => {
      const held = times * typeBytes(program.values[id]!.type);
      const shift = op.name === 'permute' ? (op.attributes as Attributes['permute']).shifts[index]! : 0;
      add(op.name as CollectiveName, axis, ((shift % size) + size) % size, held);
    });
  });
  return [...demands.values()];
}

/**
 * Bytes that a chip sends and gets, on average over a group of `size`: the least possible (Chan et al. 2007). Where
 * switches add up and copy what passes, each chip sends or gets a part only once.
 */
function leastPerChip({ name, by, heldBytes }: Demand, size: number, inSwitch: boolean): { sent: number; got: number } {
  const others = (size - 1) / size;
  const both = (amount: number) => ({ sent: amount, got: amount });
  switch (name) {
    case 'all_gather':
      return { sent: (inSwitch ? 1 : size - 1) * heldBytes, got: (size - 1) * heldBytes };
    case 'reduce_scatter':
      return { sent: others * heldBytes, got: (inSwitch ? 1 / size : others) * heldBytes };
    case 'all_reduce':
      return both((inSwitch ? 1 : 2) * others * heldBytes);
    case 'all_to_all':
      return both(others * heldBytes);
    case 'permute':
      return both(by === 0 ? 0 : heldBytes);
  }
}

/** Bytes that have to cross from the first side of a group to the second, whose chips are given in order. */
function leastAcross({ name, by, heldBytes }: Demand, first: readonly boolean[]): number {
  const size = first.length;
  const here = first.reduce((count, is) => count + (is ? 1 : 0), 0);
  switch (name) {
    case 'all_gather':
      return here * heldBytes;
    case 'reduce_scatter':
      // One sum for each part that the other side keeps.
      return ((size - here) / size) * heldBytes;
    case 'all_reduce':
      return heldBytes;
    case 'all_to_all':
      return ((here * (size - here)) / size) * heldBytes;
    case 'permute':
      return first.reduce((count, is, index) => count + (is && !first[(index + by) % size]! ? heldBytes : 0), 0);
  }
}

export interface NetworkBound {
  readonly seconds: number;
  /** What the bytes have to go through: every chip's own links, or a cut. Null where nothing is sent. */
  readonly through: string | null;
}

/** Links of one direction that a fabric leaves out (copies are counted where they start) bound nothing. */
const timeOf = (amount: number, rate: number): number => (rate > 0 ? amount / rate : 0);

export const networkBound = (program: Program, machine: Machine): NetworkBound =>
  demandsBound(demandsOf(program), machine);

/**
 * @param demands of a chip, on average over all chips of the machine
 * @param transfers what goes from stage to stage besides; only counted as what chips send and get
 */
export function demandsBound(
  demands: readonly Demand[],
  machine: Machine,
  transfers: readonly Demand[] = [],
): NetworkBound {
  const { mesh, chips, fabric, stages } = machine;
  let best: NetworkBound = { seconds: 0, through: null };
  const consider = (seconds: number, through: string): void => {
    if (seconds > best.seconds) best = { seconds, through };
  };

  let [sent, got, out, into] = [0, 0, 0, 0];
  for (const demand of [...demands, ...transfers]) {
    const inSwitch = (stages.get(demand.axis) ?? []).some(({ reducesInSwitch }) => reducesInSwitch);
    const least = leastPerChip(demand, axisSize(mesh, demand.axis), inSwitch);
    sent += chips * least.sent;
    got += chips * least.got;
  }
  for (const { from, to, bytesPerSecond } of fabric.links) {
    if (from < chips) out += bytesPerSecond;
    if (to < chips) into += bytesPerSecond;
  }
  const factor = peakFactor(machine);
  consider(Math.max(timeOf(sent, out * factor), timeOf(got, into * factor)), "the chips' own links");

  const across = ({ crossings }: Cut, outward: boolean): number =>
    demands.reduce((total, demand) => {
      const places = crossings.get(demand.axis) ?? [];
      return places.reduce(
        (bytes, { inside, groups }) =>
          bytes + groups * leastAcross(demand, outward ? inside : inside.map((place) => !place)),
        total,
      );
    }, 0);
  for (const cut of demands.length === 0 ? [] : cutsOf(machine))
    consider(Math.max(timeOf(across(cut, true), cut.out), timeOf(across(cut, false), cut.into)), cut.label);
  return best;
}
