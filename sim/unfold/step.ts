/** A plan run on every chip and link of its machine: the step as the chip that ends last sees it, and how chips differ. */
import { joinLoads, slowdown } from '../cost/index.js';
import type { Ticks } from '../engine/index.js';
import { ticks } from '../engine/index.js';
import type { ExposureTotals } from '../exposure.js';
import { exposureTotals } from '../exposure.js';
import type { Occurrence } from '../folded.js';
import { linearize } from '../instructions.js';
import type { Machine } from '../machine/index.js';
import type { CollectiveStep, KernelStep, Plan } from '../plan.js';
import type { Jitter } from './jitter.js';
import type { UnfoldedRun } from './run.js';
import { unfold } from './run.js';

export interface UnfoldRequest {
  readonly jitter?: Jitter;
}

/** Over the chips. */
export interface Spread {
  readonly least: Ticks;
  readonly mean: Ticks;
  readonly most: Ticks;
}

export interface ChipSpreads {
  /** When they have done all. */
  readonly end: Spread;
  /** At work, the host included. */
  readonly busy: Spread;
  readonly exposed: Spread;
  readonly hidden: Spread;
  /** Until the last has done all. */
  readonly idle: Spread;
}

export interface UnfoldedStep {
  readonly run: UnfoldedRun;
  /** That has done all last; of several the first. */
  readonly lastChip: number;
  /** Of the last chip. */
  readonly exposure: ExposureTotals;
  /** Of the last chip: what collectives beside kernels add to them, and what its slowness and jitter do. */
  readonly contention: Ticks;
  readonly variation: Ticks;
  readonly hostWait: Ticks;
  readonly spreads: ChipSpreads;
  /** What became of each instruction on some chips, in the order of issue; in a run of its own. */
  occurrences(chips: readonly number[]): ReadonlyMap<number, readonly Occurrence[]>;
}

function spreadOf(chips: number, valueOf: (chip: number) => number): Spread {
  let [least, total, most] = [Infinity, 0, -Infinity];
  for (let chip = 0; chip < chips; chip++) {
    const value = valueOf(chip);
    least = Math.min(least, value);
    most = Math.max(most, value);
    total += value;
  }
  return { least: ticks(least), mean: ticks(Math.round(total / chips)), most: ticks(most) };
}

export function unfoldStep(plan: Plan, machine: Machine, { jitter }: UnfoldRequest): UnfoldedStep {
  const instructions = linearize(plan);
  const { chips, fabric, chipSlowdown } = machine;
  const options = {
    chips,
    fabric,
    instructions,
    hostDuration: plan.hostDuration,
    chipSlowdown,
    ...(jitter === undefined ? {} : { jitter }),
    slowdown: ({ cost }: KernelStep, beside: readonly CollectiveStep[]): number =>
      slowdown(
        cost,
        plan.chip,
        joinLoads(
          beside.map(({ load }) => load),
          plan.chip.chip,
        ),
      ),
  };
  const run = unfold(options);
  const { duration, ends, busy, hidden, kernelsAlone, hostWait, exposedByAxis } = run;
  const lastChip = ends.indexOf(duration);
  const exposedOf = (chip: number): number => {
    let total = 0;
    for (const exposed of exposedByAxis.values()) total += exposed[chip]!;
    return total;
  };
  const planned = plan.kernels.reduce((total, { duration: once, times }) => total + times * once, 0);
  return {
    run,
    lastChip,
    exposure: exposureTotals(
      new Map([...exposedByAxis].map(([axis, exposed]) => [axis, exposed[lastChip]!])),
      hidden[lastChip]!,
    ),
    contention: ticks(busy[lastChip]! - plan.hostDuration - hostWait[lastChip]! - kernelsAlone[lastChip]!),
    variation: ticks(kernelsAlone[lastChip]! - planned),
    hostWait: ticks(hostWait[lastChip]!),
    spreads: {
      end: spreadOf(chips, (chip) => ends[chip]!),
      busy: spreadOf(chips, (chip) => busy[chip]!),
      exposed: spreadOf(chips, exposedOf),
      hidden: spreadOf(chips, (chip) => hidden[chip]!),
      idle: spreadOf(chips, (chip) => duration - busy[chip]! - exposedOf(chip)),
    },
    occurrences: (recorded) => {
      const found = new Map(recorded.map((chip) => [chip, [] as (Occurrence | undefined)[]] as const));
      for (const { chip, instruction, issued, launched, start, end } of unfold({ ...options, recorded }).spans) {
        const done = instructions[instruction]!;
        if (done.kind === 'wait') continue;
        const { step, iterations, after } = done;
        const of = done.kind === 'collective' ? { run: done.run, operands: done.operands } : { operands: [] };
        found.get(chip)![instruction] = { step, iterations, after, ...of, issued, launched, start, end };
      }
      return new Map([...found].map(([chip, list]) => [chip, list.filter((one) => one !== undefined)]));
    },
  };
}
