/** What some chips do, kept. */
import type { Ticks } from '../engine/index.js';
import { ticks } from '../engine/index.js';
import type { Script } from './script.js';

/** A run of a kernel or a collective on a chip. */
export interface ChipSpan {
  readonly chip: number;
  /** Its place among the instructions. */
  readonly instruction: number;
  readonly issued: Ticks;
  readonly start: Ticks;
  readonly end: Ticks;
}

export class Recorder {
  /** In the order they end. */
  readonly spans: ChipSpan[] = [];
  readonly #script: Script;
  readonly #kept: Uint8Array;
  /** By chip, by run. */
  readonly #issued = new Map<number, Float64Array>();

  constructor(script: Script, chips: number, kept: readonly number[]) {
    this.#script = script;
    this.#kept = new Uint8Array(chips);
    for (const chip of kept) {
      this.#kept[chip] = 1;
      this.#issued.set(chip, new Float64Array(script.collectives.length));
    }
  }

  keeps(chip: number): boolean {
    return this.#kept[chip] === 1;
  }

  issue(chip: number, run: number, now: number): void {
    this.#issued.get(chip)![run] = now;
  }

  collective(chip: number, run: number, start: number, end: number): void {
    this.#add(chip, this.#script.issuedBy[run]!, this.#issued.get(chip)![run]!, start, end);
  }

  kernel(chip: number, line: number, issued: number, start: number, end: number): void {
    this.#add(chip, this.#script.instruction[line]!, issued, start, end);
  }

  #add(chip: number, instruction: number, issued: number, start: number, end: number): void {
    this.spans.push({ chip, instruction, issued: ticks(issued), start: ticks(start), end: ticks(end) });
  }
}
