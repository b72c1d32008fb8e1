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
  /** When the host had launched it, if that is later. */
  readonly launched: Ticks;
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
  readonly #launched = new Map<number, Float64Array>();

  constructor(script: Script, chips: number, kept: readonly number[]) {
    this.#script = script;
    this.#kept = new Uint8Array(chips);
    for (const chip of kept) {
      this.#kept[chip] = 1;
      this.#issued.set(chip, new Float64Array(script.collectives.length));
      this.#launched.set(chip, new Float64Array(script.collectives.length));
    }
  }

  keeps(chip: number): boolean {
    return this.#kept[chip] === 1;
  }

  issue(chip: number, run: number, now: number): void {
    this.#issued.get(chip)![run] = now;
  }

  launch(chip: number, run: number, now: number): void {
    this.#launched.get(chip)![run] = now;
  }

  collective(chip: number, run: number, start: number, end: number): void {
    const [issued, launched] = [this.#issued.get(chip)![run]!, this.#launched.get(chip)![run]!];
    this.#add(chip, this.#script.issuedBy[run]!, issued, launched, start, end);
  }

  kernel(chip: number, line: number, issued: number, start: number, end: number): void {
    this.#add(chip, this.#script.instruction[line]!, issued, start, start, end);
  }

  #add(chip: number, instruction: number, issued: number, launched: number, start: number, end: number): void {
    const times = { issued: ticks(issued), launched: ticks(launched), start: ticks(start), end: ticks(end) };
    this.spans.push({ chip, instruction, ...times });
  }
}
