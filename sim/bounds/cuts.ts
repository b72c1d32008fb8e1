/**
 * Cuts through a machine: chips on one side, the others on the other, and what the links between them can carry. What
 * has to cross takes at least as long as the links need for it.
 */
import type { AxisName } from '../../src/mesh/index.js';
import { groups } from '../../src/mesh/index.js';
import type { Machine } from '../machine/index.js';

/** Groups of an axis that lie alike on a cut. */
export interface Crossing {
  /** By place in the group: whether that chip is on the inner side. */
  readonly inside: readonly boolean[];
  /** How many groups lie so. */
  readonly groups: number;
}

export interface Cut {
  readonly label: string;
  readonly crossings: ReadonlyMap<AxisName, readonly Crossing[]>;
  /** Bytes per second out of the inner side and into it, at peak rates. */
  readonly out: number;
  readonly into: number;
}

/**
 * How much faster than it is modelled a link of this machine could be: its peak over what it reaches, of the link for
 * which that is most.
 */
export function peakFactor({ hardware }: Machine): number {
  let factor = 1;
  for (const rate of Object.values(hardware.topology) as unknown[]) {
    const { peak, achievable } = (rate ?? {}) as { peak?: unknown; achievable?: unknown };
    if (typeof peak === 'number' && typeof achievable === 'number') factor = Math.max(factor, peak / achievable);
  }
  return factor;
}

/** Switches and network cards go to the side that their links lead to; any choice makes a valid cut. */
function sides({ fabric, chips }: Machine, inside: Uint8Array): Int8Array {
  const side = new Int8Array(fabric.vertices);
  for (let chip = 0; chip < chips; chip++) side[chip] = inside[chip] === 1 ? 1 : -1;
  // As many passes as there may be tiers of switches above a chip.
  for (let pass = 0; pass < 4; pass++) {
    const pull = new Float64Array(fabric.vertices);
    for (const { from, to, bytesPerSecond } of fabric.links) {
      pull[from]! += side[to]! * bytesPerSecond;
      pull[to]! += side[from]! * bytesPerSecond;
    }
    for (let vertex = chips; vertex < fabric.vertices; vertex++) side[vertex] = Math.sign(pull[vertex]!);
  }
  return side.map((value) => (value > 0 ? 1 : -1));
}

function crossingsOf({ mesh, chipOf }: Machine, inside: Uint8Array): Map<AxisName, Crossing[]> {
  const byAxis = new Map<AxisName, Crossing[]>();
  for (const { name } of mesh.axes) {
    const found = new Map<string, { inside: boolean[]; groups: number }>();
    for (const group of groups(mesh, name)) {
      const places = group.map((rank) => inside[chipOf(rank)] === 1);
      // A group on one side has nothing to send across.
      if (places.every((place) => place === places[0])) continue;
      const key = places.map(Number).join('');
      const crossing = found.get(key) ?? { inside: places, groups: 0 };
      crossing.groups++;
      found.set(key, crossing);
    }
    byAxis.set(name, [...found.values()]);
  }
  return byAxis;
}

function cutOf(machine: Machine, label: string, inside: Uint8Array): Cut {
  const side = sides(machine, inside);
  const factor = peakFactor(machine);
  let out = 0;
  let into = 0;
  for (const { from, to, bytesPerSecond } of machine.fabric.links) {
    if (side[from]! > side[to]!) out += bytesPerSecond * factor;
    if (side[from]! < side[to]!) into += bytesPerSecond * factor;
  }
  return { label, crossings: crossingsOf(machine, inside), out, into };
}

const known = new WeakMap<Machine, readonly Cut[]>();

/** Of each stage of each axis: one end of it, and half of it (the bisection, where it is a torus' dimension). */
export function cutsOf(machine: Machine): readonly Cut[] {
  let cuts = known.get(machine);
  if (cuts === undefined) known.set(machine, (cuts = findCuts(machine)));
  return cuts;
}

function findCuts(machine: Machine): Cut[] {
  const cuts = new Map<string, Cut>();
  for (const [axis, stages] of machine.stages) {
    for (const { label, length, groups } of stages) {
      for (const size of new Set([1, Math.floor(length / 2)])) {
        if (size < 1 || size >= length) continue;
        const inside = new Uint8Array(machine.chips);
        for (const group of groups) for (const chip of group.slice(0, size)) inside[chip] = 1;
        const key = inside.join('');
        if (!cuts.has(key)) cuts.set(key, cutOf(machine, `${axis}: ${size} of ${length} along ${label}`, inside));
      }
    }
  }
  return [...cuts.values()];
}
