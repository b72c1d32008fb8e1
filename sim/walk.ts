/**
 * The walk over a plan in simulated time, for one rank. Ops are issued in program order, as a core or a stream runs
 * them: what comes after a kernel is issued when it ends. A reader of a pending result waits for it. A synchronous
 * collective is waited for at once. An asynchronous one holds nothing up: it takes its turn on its links after those
 * issued before it, once its operands are there; but a second run of it is not issued before the first is done, unless
 * it is issued ahead. Where the stack does not overlap communication, all are synchronous.
 *
 * Nothing depends on anything but what was issued before, so an iteration of a repeat that begins in the same state as
 * the one before, relative to the clock, does the same again: unless spans are recorded, such iterations are leapt over.
 */
import type { ValueId } from '../src/program/index.js';
import type { Ticks } from './engine/index.js';
import { EventQueue, Resource, ticks } from './engine/index.js';
import type { ExposureTotals } from './exposure.js';
import { Exposure } from './exposure.js';
import type { CollectiveStep, JoinStep, KernelStep, ManualStep, Plan, RepeatStep, Step } from './plan.js';

/** Gets each run of a kernel or collective, in the order of issue, and the iterations around it, outermost first. */
export type Recorder = (
  step: KernelStep | CollectiveStep,
  iterations: readonly number[],
  start: Ticks,
  end: Ticks,
) => void;

/** When a value is there: of a stack, all of it, and, where they differ, each element. */
interface Readiness {
  readonly at: number;
  readonly elements: readonly number[] | undefined;
}

/** What decides how the walk goes on from the end of an iteration, relative to the clock. */
interface State {
  readonly now: Ticks;
  readonly exposure: ExposureTotals;
  readonly numbers: readonly number[];
  readonly events: readonly unknown[];
}

const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);

export class Walk {
  readonly exposure = new Exposure();
  readonly #plan: Plan;
  readonly #record: Recorder | undefined;
  readonly #queue = new EventQueue();
  readonly #lanes: readonly Resource[];
  readonly #laneOf: readonly Resource[];
  /** By value; 0 for all that never pends. */
  readonly #ready: Float64Array;
  readonly #elements: (readonly number[] | undefined)[] = [];
  /** By collective: when the last run of it ends, and what happens when one begins and ends. */
  readonly #lastEnd: Float64Array;
  readonly #begin: readonly (() => void)[];
  readonly #end: readonly (() => void)[];
  readonly #iterations: number[] = [];

  constructor(plan: Plan, record?: Recorder) {
    const { collectives, lanes, program } = plan;
    this.#plan = plan;
    this.#record = record;
    const resources = new Map([...new Set(lanes.values())].map((lane) => [lane, new Resource(this.#queue)]));
    this.#lanes = [...resources.values()];
    this.#laneOf = collectives.map(({ axis }) => resources.get(lanes.get(axis)!)!);
    this.#ready = new Float64Array(program.values.length);
    this.#lastEnd = new Float64Array(collectives.length);
    this.#begin = collectives.map((step) => () => this.exposure.begin(step, this.#queue.now));
    this.#end = collectives.map((step) => () => this.exposure.end(step, this.#queue.now));
  }

  /** @returns when all is done */
  run(): Ticks {
    this.#work(this.#plan.hostDuration);
    this.#block(this.#plan.steps);
    return this.#queue.run();
  }

  #work(duration: Ticks): void {
    this.exposure.setBusy(true, this.#queue.now);
    this.#queue.runUntil(ticks(this.#queue.now + duration));
    this.exposure.setBusy(false, this.#queue.now);
  }

  #waitUntil(time: number): void {
    if (time > this.#queue.now) this.#queue.runUntil(ticks(time));
  }

  #lastOf(reads: readonly ValueId[]): number {
    let last = 0;
    for (const id of reads) if (this.#ready[id]! > last) last = this.#ready[id]!;
    return last;
  }

  #block(steps: readonly Step[]): void {
    for (const step of steps) {
      switch (step.kind) {
        case 'kernel':
          this.#kernel(step);
          break;
        case 'collective':
          this.#collective(step);
          break;
        case 'move':
          this.#waitUntil(this.#lastOf(step.reads));
          break;
        case 'join':
          this.#join(step);
          break;
        case 'element':
          this.#bind(step.result, { at: this.#elementReady(step.stack, step.index), elements: undefined });
          break;
        case 'manual':
          this.#manual(step);
          break;
        case 'repeat':
          this.#repeat(step);
      }
    }
  }

  #kernel(step: KernelStep): void {
    this.#waitUntil(this.#lastOf(step.reads));
    const start = this.#queue.now;
    this.#work(step.duration);
    this.#record?.(step, this.#iterations, start, this.#queue.now);
  }

  #collective(step: CollectiveStep): void {
    const { index, duration, op, asynchronous } = step;
    if (step.single) this.#waitUntil(this.#lastEnd[index]!);
    const there = ticks(this.#lastOf(step.reads));
    const end = this.#laneOf[index]!.use(there, duration, this.#begin[index]!, this.#end[index]!);
    this.#lastEnd[index] = end;
    this.#record?.(step, this.#iterations, ticks(end - duration), end);
    if (asynchronous) for (const id of op.results) this.#ready[id] = end;
    else this.#waitUntil(end);
  }

  #readiness = (id: ValueId): Readiness => ({ at: this.#ready[id]!, elements: this.#elements[id] });

  #bind(id: ValueId, { at, elements }: Readiness): void {
    this.#ready[id] = at;
    this.#elements[id] = elements;
  }

  #elementReady(stack: ValueId, element: number): number {
    return this.#elements[stack]?.[element] ?? this.#ready[stack]!;
  }

  #join({ operands, result, lengths }: JoinStep): void {
    const elements = operands.flatMap((id, index) =>
      Array.from({ length: lengths[index]! }, (_, element) => this.#elementReady(id, element)),
    );
    this.#bind(result, { at: this.#lastOf(operands), elements });
  }

  #manual({ operands, args, steps, yields, results }: ManualStep): void {
    args.forEach((id, index) => this.#bind(id, this.#readiness(operands[index]!)));
    this.#block(steps);
    results.forEach((id, index) => this.#bind(id, this.#readiness(yields[index]!)));
  }

  #repeat(step: RepeatStep): void {
    const { count, carried, operands, args, ahead, yields, results, reverse, first, firsts } = step;
    const early: Readiness[][] = [];
    const made: number[][] = results.slice(carried).map(() => []);
    const elementAt = (position: number): number => (reverse ? count - 1 - position : position);
    const enter = (position: number): void => {
      const element = elementAt(position);
      this.#iterations.push(first + element);
      for (let index = carried; index < args.length; index++)
        this.#ready[args[index]!] = this.#elementReady(operands[index]!, firsts[index - carried]! + element);
    };
    const issueAhead = (position: number): void => {
      enter(position);
      this.#block(ahead!.steps);
      this.#iterations.pop();
      early.push(ahead!.results.map(this.#readiness));
    };

    let current = operands.slice(0, carried).map(this.#readiness);
    let before: State | undefined;
    for (let position = 0; position < count; position++) {
      if (ahead) {
        for (let next = position === 0 ? 0 : position + ahead.by; next <= position + ahead.by && next < count; next++)
          issueAhead(next);
        early.shift()!.forEach((readiness, index) => this.#bind(ahead.results[index]!, readiness));
      }
      enter(position);
      current.forEach((readiness, index) => this.#bind(args[index]!, readiness));
      this.#block(step.steps);
      current = yields.slice(0, carried).map(this.#readiness);
      made.forEach((stack, index) => (stack[elementAt(position)] = this.#ready[yields[carried + index]!]!));
      this.#iterations.pop();

      // The last iterations issue nothing ahead.
      const left = count - 1 - (ahead?.by ?? 0) - position;
      if (this.#record !== undefined || left <= 0) continue;
      const state = this.#state(step, current, early);
      if (state && before && sameList(state.numbers, before.numbers) && sameList(state.events, before.events)) {
        const period = state.now - before.now;
        this.#leap(step, left, period, before.exposure);
        const later = (time: number): number => (time > state.now ? time + left * period : time);
        const shift = ({ at, elements }: Readiness): Readiness => ({ at: later(at), elements: elements?.map(later) });
        current = current.map(shift);
        early.forEach((values, index) => (early[index] = values.map(shift)));
        for (const stack of made) {
          const like = stack[elementAt(position)]!;
          for (let next = 1; next <= left; next++)
            stack[elementAt(position + next)] = like === 0 ? 0 : like + next * period;
        }
        position += left;
      }
      before = state;
    }
    results.forEach((id, index) => {
      if (index < carried) this.#bind(id, current[index]!);
      else {
        const elements = made[index - carried]!;
        const at = elements.reduce((last, time) => Math.max(last, time), 0);
        this.#bind(id, { at, elements: at > this.#queue.now ? elements : undefined });
      }
    });
  }

  /** Undefined where iterations to come differ in when their elements are there. */
  #state(
    { captured, operands, carried, collectives }: RepeatStep,
    current: readonly Readiness[],
    early: readonly (readonly Readiness[])[],
  ): State | undefined {
    const { now } = this.#queue;
    for (let index = carried; index < operands.length; index++)
      if (this.#ready[operands[index]!]! > now) return undefined;
    const numbers: number[] = [];
    const add = (time: number): void => void numbers.push(time > now ? time - now : 0);
    const addAll = ({ at, elements }: Readiness): void => {
      add(at);
      if (at > now) elements?.forEach(add);
    };
    this.#lanes.forEach(({ freeAt }) => add(freeAt));
    collectives.forEach((index) => add(this.#lastEnd[index]!));
    captured.forEach((id) => addAll(this.#readiness(id)));
    current.forEach(addAll);
    early.forEach((values) => values.forEach(addAll));
    const upcoming = this.#queue.upcoming();
    const events = [...this.exposure.running, ...upcoming.flatMap(({ delay, action }) => [delay, action])];
    return { now, exposure: this.exposure.totals(), numbers, events };
  }

  /** Goes on as if the iteration since `before`, which took `period`, had run `times` times more. */
  #leap({ collectives }: RepeatStep, times: number, period: number, before: ExposureTotals): void {
    const by = ticks(times * period);
    this.#queue.leap(by);
    this.#lanes.forEach((lane) => lane.leap(by));
    for (const index of collectives) this.#lastEnd[index]! += by;
    this.exposure.repeat(before, times, this.#queue.now);
  }
}
