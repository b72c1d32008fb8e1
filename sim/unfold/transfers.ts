/**
 * Flows on their links. A flow that is alone on all its links has the least of their capacities for as long as it is, and
 * one event, its arrival. Where another comes to one of its links meanwhile, they share max-min: then rates are worked
 * out anew, once all events of a tick are over, for the flows that share links with those that came or went, directly or
 * through others, and a flow has two events, when its last byte has left and when that arrives.
 */
import type { EntityQueue } from '../engine/index.js';
import { fraction, leftAfter, ticksLeft } from '../engine/index.js';
import type { FlowTables } from './flows.js';
import { Shares } from './shares.js';

export class Transfers {
  /** That went over each link. */
  readonly linkBytes: Float64Array;
  /** How many began. */
  started = 0;
  readonly #tables: FlowTables;
  readonly #queue: EntityQueue;
  /** By link: until when a flow has it to itself, and which; infinite while flows share it. */
  readonly #until: Float64Array;
  readonly #holder: Int32Array;
  /** By flow: its row, and whether it shares links, so that its event is the end of its transfer. */
  readonly #row: Int32Array;
  readonly #sharing: Uint8Array;
  /** Of flows that share: what is left, in ticks at the rate of its row, at what multiple of that rate, since when. */
  readonly #left: Float64Array;
  readonly #perTick: Float64Array;
  readonly #since: Float64Array;
  readonly #shares: Shares;

  constructor(tables: FlowTables, capacities: Float64Array, queue: EntityQueue) {
    const { flows } = tables;
    this.#tables = tables;
    this.#queue = queue;
    this.linkBytes = new Float64Array(capacities.length);
    this.#until = new Float64Array(capacities.length);
    this.#holder = new Int32Array(capacities.length);
    this.#row = new Int32Array(flows);
    this.#sharing = new Uint8Array(flows);
    this.#left = new Float64Array(flows);
    this.#perTick = new Float64Array(flows);
    this.#since = new Float64Array(flows);
    this.#shares = new Shares(tables, capacities);
  }

  /** @param row what it moves: its round's first row plus its kind */
  start(flow: number, row: number): void {
    const { rows, onlyLink, crowded, pathStart, path } = this.#tables;
    const until = this.#until;
    const now = this.#queue.now;
    const bytes = rows.bytes[row]!;
    this.started++;
    this.#row[flow] = row;
    if (rows.transfer[row] === 0) {
      // What takes no tick alone takes none beside others either.
      for (let hop = pathStart[flow]!; hop < pathStart[flow + 1]!; hop++) this.linkBytes[path[hop]!]! += bytes;
      this.#queue.push(flow, now + rows.latency[row]!);
      return;
    }
    const link = onlyLink[flow]!;
    if (link >= 0) {
      this.linkBytes[link]! += bytes;
      if (crowded[flow] === 0 && until[link]! <= now) {
        const end = now + rows.transfer[row]!;
        until[link] = end;
        this.#holder[link] = flow;
        this.#queue.push(flow, end + rows.latency[row]!);
      } else this.#share(flow, row);
      return;
    }
    const first = pathStart[flow]!;
    const last = pathStart[flow + 1]!;
    let alone = crowded[flow] === 0;
    for (let hop = first; hop < last; hop++) {
      this.linkBytes[path[hop]!]! += bytes;
      if (until[path[hop]!]! > now) alone = false;
    }
    if (!alone) {
      this.#share(flow, row);
      return;
    }
    const end = now + rows.transfer[row]!;
    for (let hop = first; hop < last; hop++) {
      until[path[hop]!] = end;
      this.#holder[path[hop]!] = flow;
    }
    this.#queue.push(flow, end + rows.latency[row]!);
  }

  /** A flow's event. @returns whether it has arrived */
  happens(flow: number): boolean {
    if (this.#sharing[flow] === 0) return true;
    const { rows, pathStart, path } = this.#tables;
    const now = this.#queue.now;
    this.#sharing[flow] = 0;
    this.#shares.leave(flow);
    for (let hop = pathStart[flow]!; hop < pathStart[flow + 1]!; hop++)
      if (this.#shares.isEmpty(path[hop]!)) this.#until[path[hop]!] = now;
    this.#queue.push(flow, now + rows.latency[this.#row[flow]!]!);
    return false;
  }

  /** Shares links anew where flows came or went; after all events of a tick. */
  settle(): void {
    const shares = this.#shares;
    const { rate } = this.#tables.rows;
    const now = this.#queue.now;
    while (shares.nextComponent()) {
      for (let index = 0; index < shares.count; index++) {
        const flow = shares.flows[index]!;
        const perTick = fraction(shares.rates[index]!, rate[this.#row[flow]!]!);
        const before = this.#perTick[flow]!;
        if (perTick === before) continue;
        if (before > 0) {
          this.#left[flow] = leftAfter(this.#left[flow]!, now - this.#since[flow]!, before);
          this.#queue.remove(flow);
        }
        this.#perTick[flow] = perTick;
        this.#since[flow] = now;
        this.#queue.push(flow, now + ticksLeft(this.#left[flow]!, perTick));
      }
    }
  }

  /** A flow that begins where others are; its rate comes with `settle`. */
  #share(flow: number, row: number): void {
    const { rows, pathStart, path } = this.#tables;
    const now = this.#queue.now;
    for (let hop = pathStart[flow]!; hop < pathStart[flow + 1]!; hop++) {
      const until = this.#until[path[hop]!]!;
      if (until > now && until < Infinity) this.#disturb(this.#holder[path[hop]!]!, until);
    }
    this.#left[flow] = rows.work[row]!;
    this.#perTick[flow] = 0;
    this.#since[flow] = now;
    this.#join(flow);
  }

  /** A flow that has had its links to itself until now, and would have until `end`. */
  #disturb(flow: number, end: number): void {
    const { rows } = this.#tables;
    const row = this.#row[flow]!;
    this.#left[flow] = rows.work[row]!;
    this.#perTick[flow] = 1;
    this.#since[flow] = end - rows.transfer[row]!;
    this.#queue.remove(flow);
    this.#queue.push(flow, end);
    this.#join(flow);
  }

  #join(flow: number): void {
    const { pathStart, path } = this.#tables;
    this.#sharing[flow] = 1;
    this.#shares.join(flow);
    for (let hop = pathStart[flow]!; hop < pathStart[flow + 1]!; hop++) this.#until[path[hop]!] = Infinity;
  }
}
