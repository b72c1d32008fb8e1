/** Which stages of a pipeline share nodes, and how fast one chip can send to one other there. */
import { axisSize, group } from '../../src/mesh/index.js';
import { seconds } from '../../src/units.js';
import type { Ticks } from '../engine/index.js';
import { ticks, toTicks } from '../engine/index.js';
import type { Machine } from '../machine/index.js';

export class Nodes {
  readonly #machine: Machine;
  /** By two stages: whether a chip of one lies in another node than its peer of the other. */
  readonly #crossing = new Map<string, boolean>();

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  crosses(from: number, to: number): boolean {
    const { topology } = this.#machine.hardware;
    if (topology.kind !== 'switch' && topology.kind !== 'fully-connected') return false;
    const key = `${from} ${to}`;
    let found = this.#crossing.get(key);
    if (found === undefined) {
      const { mesh, chips, chipOf } = this.#machine;
      const nodeOf = (rank: number): number => Math.floor(chipOf(rank) / topology.chipsPerNode);
      // The axis `pipe` is outermost: the first stage's ranks come first.
      const peers = Array.from({ length: chips / axisSize(mesh, 'pipe') }, (_, rank) => group(mesh, rank, 'pipe'));
      found = peers.some((stages) => nodeOf(stages[from]!) !== nodeOf(stages[to]!));
      this.#crossing.set(key, found);
    }
    return found;
  }

  /** The least that it takes to send bytes to one chip of the same node, where the job spans several. */
  pairTicks(from: number, to: number, bytes: number): Ticks {
    const { hardware, chips } = this.#machine;
    const { topology } = hardware;
    if (topology.kind !== 'switch' && topology.kind !== 'fully-connected') return ticks(0);
    const { pairPerDirection, chipsPerNode, collectiveStart, nodeLatency } = topology;
    if (pairPerDirection === undefined || chips <= chipsPerNode || this.crosses(from, to)) return ticks(0);
    return toTicks(seconds(collectiveStart + nodeLatency + bytes / pairPerDirection));
  }
}
