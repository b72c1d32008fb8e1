/**
 * Where each chip is in each channel of what runs over an axis. In a step it offers its flows; a flow begins when both
 * its ends have, and the step is done when all of the chip's flows in it have arrived. A chip without flows in a round
 * passes it at once. A channel of a chip is known by channel × chips + chip.
 */
import type { FlowTables } from './flows.js';
import type { Transfers } from './transfers.js';

export class Channels {
  /** Those that came to the end of their rounds and were not yet taken: the first `finishedCount`. */
  readonly finished = new Int32Array(2);
  finishedCount = 0;
  readonly #tables: FlowTables;
  readonly #transfers: Transfers;
  readonly #chips: number;
  /** By flow: whether one of its ends has offered it, and the other not yet. */
  readonly #offered: Uint8Array;
  /** By channel of a chip: its round, the last one's end, steps left in the round and flows left in the step. */
  readonly #round: Int32Array;
  readonly #end: Int32Array;
  readonly #steps: Int32Array;
  readonly #pending: Int32Array;
  /** Its flows in the round: of `incident`, from one place to another. */
  readonly #first: Int32Array;
  readonly #last: Int32Array;

  constructor(tables: FlowTables, transfers: Transfers, channels: number, chips: number) {
    this.#tables = tables;
    this.#transfers = transfers;
    this.#chips = chips;
    this.#offered = new Uint8Array(tables.flows);
    const all = channels * chips;
    this.#round = new Int32Array(all);
    this.#end = new Int32Array(all);
    this.#steps = new Int32Array(all);
    this.#pending = new Int32Array(all);
    this.#first = new Int32Array(all);
    this.#last = new Int32Array(all);
  }

  /** Begins with rounds, from one up to another. @returns false where the chip has no flows in any */
  begin(channel: number, firstRound: number, endRound: number): boolean {
    this.#round[channel] = firstRound;
    this.#end[channel] = endRound;
    if (!this.#enter(channel)) return false;
    this.#offer(channel);
    return true;
  }

  arrived(flow: number): void {
    const from = this.#tables.from[flow]!;
    if (--this.#pending[from]! === 0) this.#stepDone(from);
    const to = this.#tables.to[flow]!;
    if (--this.#pending[to]! === 0) this.#stepDone(to);
  }

  /** Steps left in its round and flows left in its step: for a person, when nothing goes on. */
  describe(channel: number): string {
    return `${this.#pending[channel]!} flows of a step missing, ${this.#steps[channel]!} steps left in its round`;
  }

  #stepDone(channel: number): void {
    if (--this.#steps[channel]! === 0) {
      this.#round[channel]!++;
      if (!this.#enter(channel)) {
        this.finished[this.finishedCount++] = channel;
        return;
      }
    }
    this.#offer(channel);
  }

  /** Goes to the first round from its own on in which the chip has flows. @returns false when there is none */
  #enter(channel: number): boolean {
    const { rounds, incidentStart } = this.#tables;
    const chip = channel % this.#chips;
    const end = this.#end[channel]!;
    for (let round = this.#round[channel]!; round < end; round++) {
      const place = rounds.firstChip[round]! + chip;
      const first = incidentStart[place]!;
      const last = incidentStart[place + 1]!;
      if (first === last) continue;
      this.#round[channel] = round;
      this.#first[channel] = first;
      this.#last[channel] = last;
      this.#steps[channel] = rounds.steps[round]!;
      return true;
    }
    return false;
  }

  #offer(channel: number): void {
    const { incident, kind, rounds } = this.#tables;
    const offered = this.#offered;
    const first = this.#first[channel]!;
    const last = this.#last[channel]!;
    const row = rounds.firstRow[this.#round[channel]!]!;
    this.#pending[channel] = last - first;
    for (let index = first; index < last; index++) {
      const flow = incident[index]!;
      if (offered[flow] === 0) offered[flow] = 1;
      else {
        offered[flow] = 0;
        this.#transfers.start(flow, row + kind[flow]!);
      }
    }
  }
}
