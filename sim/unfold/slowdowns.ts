/**
 * Kernels beside collectives. How much longer a kernel takes depends on which collectives run on its chip, and changes
 * when they begin and end: once in a tick, after all of its events.
 */
import type { EntityQueue } from '../engine/index.js';
import { leftAfter, ticksLeft } from '../engine/index.js';
import type { CollectiveStep, KernelStep } from '../plan.js';
import type { Script } from './script.js';

const NONE = -1;

export class Slowdowns {
  readonly #slowdown: (kernel: KernelStep, beside: readonly CollectiveStep[]) => number;
  readonly #kernels: readonly KernelStep[];
  readonly #steps: readonly CollectiveStep[];
  readonly #stepOf: Int32Array;
  readonly #laneOf: Int32Array;
  readonly #lanes: number;
  /** By chip and lane (chip × lanes + lane): the run that is under way. */
  readonly #running: Int32Array;
  /** By chip: its kernel, what is left of it in ticks of its own, at what multiple of its speed, since when. */
  readonly #kernel: Int32Array;
  readonly #left: Float64Array;
  readonly #perTick: Float64Array;
  readonly #since: Float64Array;
  /** Chips where something changed in this tick. */
  readonly #changed: Int32Array;
  readonly #isChanged: Uint8Array;
  #changedCount = 0;
  /** Lists of steps by number: from a list's number × steps + a step to that of the longer list; 0 is the empty one. */
  readonly #lists = new Map<number, number>();
  /** By list's number × kernels + kernel. */
  readonly #speeds = new Map<number, number>();

  constructor(
    { kernels, collectives, lane, laneRuns }: Script,
    chips: number,
    slowdown: (kernel: KernelStep, beside: readonly CollectiveStep[]) => number,
  ) {
    this.#slowdown = slowdown;
    this.#kernels = kernels;
    this.#steps = [...new Set(collectives.map(({ step }) => step))].sort((a, b) => a.index - b.index);
    const numbers = new Map(this.#steps.map((step, index) => [step, index] as const));
    this.#stepOf = Int32Array.from(collectives, ({ step }) => numbers.get(step)!);
    this.#laneOf = lane;
    this.#lanes = laneRuns.length;
    this.#running = new Int32Array(chips * this.#lanes).fill(NONE);
    this.#kernel = new Int32Array(chips).fill(NONE);
    this.#left = new Float64Array(chips);
    this.#perTick = new Float64Array(chips);
    this.#since = new Float64Array(chips);
    this.#changed = new Int32Array(chips);
    this.#isChanged = new Uint8Array(chips);
  }

  /** A kernel begins; when it ends comes with `settle`. */
  begin(chip: number, kernel: number, duration: number, now: number): void {
    this.#kernel[chip] = kernel;
    this.#left[chip] = duration;
    this.#perTick[chip] = 0;
    this.#since[chip] = now;
    this.#change(chip);
  }

  end(chip: number): void {
    this.#kernel[chip] = NONE;
  }

  collectiveBegins(chip: number, run: number): void {
    this.#running[chip * this.#lanes + this.#laneOf[run]!] = run;
    this.#change(chip);
  }

  collectiveEnds(chip: number, run: number): void {
    this.#running[chip * this.#lanes + this.#laneOf[run]!] = NONE;
    this.#change(chip);
  }

  /** @param first the first chip among the queue's entities */
  settle(queue: EntityQueue, first: number): void {
    const now = queue.now;
    for (let index = 0; index < this.#changedCount; index++) {
      const chip = this.#changed[index]!;
      this.#isChanged[chip] = 0;
      const kernel = this.#kernel[chip]!;
      if (kernel === NONE) continue;
      const perTick = this.#speed(kernel, chip);
      const before = this.#perTick[chip]!;
      if (perTick === before) continue;
      if (before > 0) {
        this.#left[chip] = leftAfter(this.#left[chip]!, now - this.#since[chip]!, before);
        queue.remove(first + chip);
      }
      this.#perTick[chip] = perTick;
      this.#since[chip] = now;
      queue.push(first + chip, now + ticksLeft(this.#left[chip]!, perTick));
    }
    this.#changedCount = 0;
  }

  #change(chip: number): void {
    if (this.#isChanged[chip] === 1) return;
    this.#isChanged[chip] = 1;
    this.#changed[this.#changedCount++] = chip;
  }

  #speed(kernel: number, chip: number): number {
    let list = 0;
    for (let step = this.#nextStep(NONE, chip); step !== NONE; step = this.#nextStep(step, chip)) {
      const key = list * this.#steps.length + step;
      let longer = this.#lists.get(key);
      if (longer === undefined) this.#lists.set(key, (longer = this.#lists.size + 1));
      list = longer;
    }
    const key = list * this.#kernels.length + kernel;
    let speed = this.#speeds.get(key);
    if (speed === undefined) {
      const beside: CollectiveStep[] = [];
      for (let step = this.#nextStep(NONE, chip); step !== NONE; step = this.#nextStep(step, chip))
        beside.push(this.#steps[step]!);
      this.#speeds.set(key, (speed = 1 / this.#slowdown(this.#kernels[kernel]!, beside)));
    }
    return speed;
  }

  /** Of the steps under way on a chip, in the order of the plan, the one after another. */
  #nextStep(step: number, chip: number): number {
    let next = NONE;
    for (let at = chip * this.#lanes; at < (chip + 1) * this.#lanes; at++) {
      const run = this.#running[at]!;
      if (run === NONE) continue;
      const other = this.#stepOf[run]!;
      if (other > step && (next === NONE || other < next)) next = other;
    }
    return next;
  }
}
