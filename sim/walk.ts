/**
 * The walk over a plan, for one chip, without a clock: ops are issued in program order to a sink, with what each waits
 * for. A reader of a pending result waits for it. A synchronous collective is waited for at once; an asynchronous one
 * holds nothing up, but a second run of it is not issued before the first is done, unless it is issued ahead.
 *
 * A sink that has a clock can leap: nothing depends on anything but what was issued before, so an iteration of a repeat
 * that ends as the one before did, relative to the clock, is followed by more like it.
 */
import type { ValueId } from '../src/program/index.js';
import type { Pending, Readiness, RunId } from './pending.js';
import { NOTHING, READY, union } from './pending.js';
import type { CollectiveStep, JoinStep, KernelStep, ManualStep, Plan, RepeatStep, Step } from './plan.js';

/**
 * A collective is issued when all of `after` are done. It then takes its turn on its chip behind the collectives over the
 * same axis that were issued before, and begins once all of `operands` are done too.
 */
export interface CollectiveIssue {
  readonly step: CollectiveStep;
  readonly run: RunId;
  readonly after: Pending;
  readonly operands: Pending;
  /** Whether the chip waits until it is done. */
  readonly synchronous: boolean;
  /** Of the repeats around it, outermost first. */
  readonly iterations: readonly number[];
}

/** Gets what a chip does, in the order of issue; see `Instruction`. `iterations` of the repeats around, outermost first. */
export interface Sink {
  kernel(step: KernelStep, after: Pending, iterations: readonly number[]): void;
  collective(issue: CollectiveIssue): void;
  wait(after: Pending): void;
  /** Whether the chip goes on only after the end of a run, so that nothing need wait for it. */
  isDone(run: RunId): boolean;
  /** Of a sink that leaps. */
  readonly leaps?: Leaps | undefined;
}

/** `Mark` is what a leap needs to know of the end of the iteration before. */
export interface Leaps<Mark = unknown> {
  mark(): Mark;
  /** Adds what decides how the sink goes on, relative to its clock. */
  describe(numbers: number[]): void;
  /** Whether what it did since, where what `describe` added is the same as then, is what it would do again. */
  repeats(before: Mark): boolean;
  /** Which of the runs that are not done a run is, in the order of issue. */
  placeOf(run: RunId): number;
  /** Goes on as if what it did since `before` had been done `times` times more. Runs under way keep their ids. */
  leap(before: Mark, times: number): void;
}

interface IterationEnd {
  readonly mark: unknown;
  readonly numbers: readonly number[];
}

const SEPARATOR = -1;

const sameNumbers = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

class TreeWalk {
  readonly #sink: Sink;
  readonly #isDone: (run: RunId) => boolean;
  /** By value; absent for all that is there. */
  readonly #runs: (Pending | undefined)[] = [];
  readonly #elements: (readonly Pending[] | undefined)[] = [];
  /** By collective, and of each run: a number of its axis. */
  readonly #axes: readonly number[];
  readonly #axisOfRun: number[] = [];
  /** By collective. */
  readonly #lastRun: (RunId | undefined)[] = [];
  #iterations: readonly number[] = [];

  constructor({ collectives }: Plan, sink: Sink) {
    this.#sink = sink;
    this.#isDone = (run) => sink.isDone(run);
    const axes = [...new Set(collectives.map(({ axis }) => axis))];
    this.#axes = collectives.map(({ axis }) => axes.indexOf(axis));
  }

  block(steps: readonly Step[]): void {
    for (const step of steps) {
      switch (step.kind) {
        case 'kernel':
          this.#sink.kernel(step, this.#lastOf(step.reads), this.#iterations);
          break;
        case 'collective':
          this.#collective(step);
          break;
        case 'move':
          this.waitFor(step.reads);
          break;
        case 'join':
          this.#join(step);
          break;
        case 'element':
          this.#bind(step.result, { runs: this.#elementRuns(step.stack, step.index), elements: undefined });
          break;
        case 'manual':
          this.#manual(step);
          break;
        case 'repeat':
          this.#repeat(step);
      }
    }
  }

  waitFor(values: readonly ValueId[]): void {
    const after = this.#lastOf(values);
    if (after.length > 0) this.#sink.wait(after);
  }

  #union(a: Pending, b: Pending): Pending {
    return union(a, b, (run) => this.#axisOfRun[run]!);
  }

  /** Without those that are done. */
  #open(runs: Pending | undefined): Pending {
    if (runs === undefined || runs.length === 0) return NOTHING;
    if (!runs.some(this.#isDone)) return runs;
    const open = runs.filter((run) => !this.#isDone(run));
    return open.length === 0 ? NOTHING : open;
  }

  #runsOf(id: ValueId): Pending {
    const runs = this.#runs[id];
    if (runs === undefined) return NOTHING;
    const open = this.#open(runs);
    if (open.length === 0) {
      this.#runs[id] = undefined;
      this.#elements[id] = undefined;
    }
    return open;
  }

  #lastOf(reads: readonly ValueId[]): Pending {
    let last = NOTHING;
    for (const id of reads) if (this.#runs[id] !== undefined) last = this.#union(last, this.#runsOf(id));
    return last;
  }

  #collective(step: CollectiveStep): void {
    const { index, op, asynchronous, single, reads } = step;
    const previous = this.#lastRun[index];
    const after = !single || previous === undefined || this.#isDone(previous) ? NOTHING : [previous];
    const operands = this.#lastOf(reads);
    const run = this.#axisOfRun.length;
    this.#axisOfRun.push(this.#axes[index]!);
    this.#lastRun[index] = run;
    this.#sink.collective({ step, run, after, operands, synchronous: !asynchronous, iterations: this.#iterations });
    const runs = asynchronous ? [run] : undefined;
    for (const id of op.results) this.#runs[id] = runs;
  }

  #readiness = (id: ValueId): Readiness => {
    const runs = this.#runsOf(id);
    return runs.length === 0 ? READY : { runs, elements: this.#elements[id] };
  };

  #bind(id: ValueId, { runs, elements }: Readiness): void {
    this.#runs[id] = runs.length === 0 ? undefined : runs;
    this.#elements[id] = runs.length === 0 ? undefined : elements;
  }

  #elementRuns(stack: ValueId, element: number): Pending {
    const runs = this.#runsOf(stack);
    if (runs.length === 0) return NOTHING;
    const elements = this.#elements[stack];
    return elements === undefined ? runs : this.#open(elements[element]);
  }

  #join({ operands, result, lengths }: JoinStep): void {
    const runs = this.#lastOf(operands);
    if (runs.length === 0) return this.#bind(result, READY);
    const elements = operands.flatMap((id, index) =>
      Array.from({ length: lengths[index]! }, (_, element) => this.#elementRuns(id, element)),
    );
    this.#bind(result, { runs, elements });
  }

  #manual({ operands, args, steps, yields, results }: ManualStep): void {
    args.forEach((id, index) => this.#bind(id, this.#readiness(operands[index]!)));
    this.block(steps);
    const readiness = yields.map(this.#readiness);
    results.forEach((id, index) => this.#bind(id, readiness[index]!));
  }

  #repeat(step: RepeatStep): void {
    const { count, carried, operands, args, ahead, yields, results, reverse, first, firsts } = step;
    const around = this.#iterations;
    const early: Readiness[][] = [];
    /** Of each result that is stacked, by position. */
    const made: Pending[][] = results.slice(carried).map(() => []);
    const elementAt = (position: number): number => (reverse ? count - 1 - position : position);
    const enter = (position: number): void => {
      const element = elementAt(position);
      this.#iterations = [...around, first + element];
      for (let index = carried; index < args.length; index++) {
        const runs = this.#elementRuns(operands[index]!, firsts[index - carried]! + element);
        this.#bind(args[index]!, { runs, elements: undefined });
      }
    };
    const issueAhead = (position: number): void => {
      enter(position);
      this.block(ahead!.steps);
      early.push(ahead!.results.map(this.#readiness));
    };

    let current = operands.slice(0, carried).map(this.#readiness);
    let before: IterationEnd | undefined;
    for (let position = 0; position < count; position++) {
      if (ahead) {
        for (let next = position === 0 ? 0 : position + ahead.by; next <= position + ahead.by && next < count; next++)
          issueAhead(next);
        early.shift()!.forEach((readiness, index) => this.#bind(ahead.results[index]!, readiness));
      }
      enter(position);
      current.forEach((readiness, index) => this.#bind(args[index]!, readiness));
      this.block(step.steps);
      current = yields.slice(0, carried).map(this.#readiness);
      made.forEach((stack, index) => stack.push(this.#runsOf(yields[carried + index]!)));

      // The last iterations issue nothing ahead.
      const left = count - 1 - (ahead?.by ?? 0) - position;
      const { leaps } = this.#sink;
      if (leaps === undefined || left <= 0) continue;
      const numbers = this.#describe(step, [...current, ...early.flat()], made, leaps);
      if (numbers && before && sameNumbers(numbers, before.numbers) && leaps.repeats(before.mark)) {
        leaps.leap(before.mark, left);
        for (const stack of made) stack.unshift(...Array.from({ length: left }, () => NOTHING));
        position += left;
        before = undefined;
      } else before = numbers && { mark: leaps.mark(), numbers };
    }
    this.#iterations = around;
    results.forEach((id, index) => {
      if (index < carried) return this.#bind(id, current[index]!);
      const stack = made[index - carried]!;
      const runs = stack.reduce((all, one) => this.#union(all, this.#open(one)), NOTHING);
      const elements = runs.length === 0 ? undefined : reverse ? stack.toReversed() : stack;
      this.#bind(id, { runs, elements });
    });
  }

  /** All that decides how iterations go on; undefined where those to come differ in when their elements are there. */
  #describe(
    { captured, operands, carried, collectives }: RepeatStep,
    values: readonly Readiness[],
    made: readonly (readonly Pending[])[],
    leaps: Leaps,
  ): number[] | undefined {
    for (let index = carried; index < operands.length; index++)
      if (this.#runsOf(operands[index]!).length > 0) return undefined;
    const numbers: number[] = [];
    const add = (runs: Pending | undefined): void => {
      for (const run of this.#open(runs)) numbers.push(leaps.placeOf(run));
      numbers.push(SEPARATOR);
    };
    const addAll = ({ runs, elements }: Readiness): void => {
      add(runs);
      if (this.#open(runs).length > 0) elements?.forEach(add);
    };
    for (const index of collectives) {
      const run = this.#lastRun[index];
      add(run === undefined ? NOTHING : [run]);
    }
    captured.forEach((id) => addAll(this.#readiness(id)));
    values.forEach(addAll);
    // Those still pending, by how long ago they were made.
    for (const stack of made) {
      for (let ago = 0; ago < stack.length; ago++) {
        const runs = this.#open(stack[stack.length - 1 - ago]);
        if (runs.length === 0) continue;
        numbers.push(ago);
        add(runs);
      }
      numbers.push(SEPARATOR);
    }
    leaps.describe(numbers);
    return numbers;
  }
}

/** Issues all of a plan to a sink. */
export function walkTree(plan: Plan, sink: Sink): void {
  const walk = new TreeWalk(plan, sink);
  walk.block(plan.steps);
  walk.waitFor(plan.awaited);
}
