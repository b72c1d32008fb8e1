/**
 * What the length of a step hangs on: from its end, back along what each thing waited for. A kernel waits for what its
 * chip did before and for the results that it reads; a collective for its turn behind those over the same axis, for its
 * operands, and for the chip to come to it. Segments follow each other without a gap and add up to the step.
 */
import type { Lane } from '../src/mesh/index.js';
import type { Phase } from '../src/program/index.js';
import type { Ticks } from './engine/index.js';
import { ticks, toSeconds } from './engine/index.js';
import type { TimeCategory } from './categories.js';
import type { Occurrence } from './folded.js';
import type { CollectiveStep, KernelStep } from './plan.js';
import { KERNEL_CATEGORIES } from './plan.js';

/** An op's part of the path, all of its runs together. */
export interface CriticalOp {
  readonly id: string;
  /** A slot, or what a stage of a pipeline does around its slots, is looked at as a whole. */
  readonly kind: 'kernel' | 'collective' | 'host' | 'idle' | 'slot';
  readonly phase: Phase | null;
  /** Of a collective. */
  readonly axis: Lane | null;
  /** How many of its runs lie on the path. */
  readonly runs: number;
  readonly seconds: number;
  /** Of the step. */
  readonly share: number;
}

export type CriticalCategory = Exclude<TimeCategory, 'exposedCommunication' | 'variation'>;

export interface CriticalPath {
  /** Longest first; adds up to the step. */
  readonly ops: readonly CriticalOp[];
  /**
   * What is on the path, as for the step's time, its variation a part of `contention`; with `collectivesByAxisSeconds`
   * it adds up to the step.
   */
  readonly byCategorySeconds: Readonly<Record<CriticalCategory, number>>;
  readonly collectivesByAxisSeconds: Readonly<Partial<Record<Lane, number>>>;
}

/** What each occurrence waited for that the record does not name: its chip's and its axis' work before it. */
class Causes {
  readonly #occurrences: readonly Occurrence[];
  /** By run. */
  readonly #ofRun: number[] = [];
  /** By occurrence: the one before on the chip or, for a collective, the one before over its axis; −1 for none. */
  readonly #before: Int32Array;
  readonly #turn: Int32Array;
  /** Ops that take no time wait for collectives too: those that end at a time. */
  readonly #endingAt = new Map<number, number>();

  constructor(occurrences: readonly Occurrence[]) {
    this.#occurrences = occurrences;
    this.#before = new Int32Array(occurrences.length).fill(-1);
    this.#turn = new Int32Array(occurrences.length).fill(-1);
    const lastOver = new Map<Lane, number>();
    let last = -1;
    occurrences.forEach(({ step, run, end }, index) => {
      this.#before[index] = last;
      if (step.kind === 'kernel') {
        last = index;
        return;
      }
      this.#ofRun[run!] = index;
      this.#turn[index] = lastOver.get(step.axis) ?? -1;
      lastOver.set(step.axis, index);
      if (!this.#endingAt.has(end)) this.#endingAt.set(end, index);
      if (!step.asynchronous) last = index;
    });
  }

  /** What ended when an occurrence began, or last before; undefined where it is the first. */
  of(index: number): number | undefined {
    const { step, after, operands, issued, start } = this.#occurrences[index]!;
    const waited = [this.#before[index]!, ...after.map((run) => this.#ofRun[run]!)];
    const turn = step.kind === 'kernel' ? [] : [...operands.map((run) => this.#ofRun[run]!), this.#turn[index]!];
    const candidates = issued === start ? [...waited, ...turn] : turn;
    const found = this.#latest(candidates, start) ?? this.#latest([...waited, ...turn], start);
    if (found !== undefined && this.#occurrences[found]!.end === start) return found;
    const ending = this.#endingAt.get(start);
    return ending !== undefined && ending < index ? ending : found;
  }

  #latest(candidates: readonly number[], start: number): number | undefined {
    let found: number | undefined;
    for (const index of candidates) {
      if (index < 0 || this.#occurrences[index]!.end > start) continue;
      if (found === undefined || this.#occurrences[index]!.end > this.#occurrences[found]!.end) found = index;
    }
    return found;
  }
}

/** What is on the path: a run of an op, the host before the step or a kernel, or nothing that is known. */
type OnPath = KernelStep | CollectiveStep | 'host' | 'idle';

/** From the last to the first: what is on the path, and for how many ticks. */
function* segments(occurrences: readonly Occurrence[], duration: number, host: number): Generator<[OnPath, number]> {
  const causes = new Causes(occurrences);
  let index: number | undefined;
  for (let at = 0; at < occurrences.length; at++)
    if (index === undefined || occurrences[at]!.end > occurrences[index]!.end) index = at;
  let time = duration;
  // Anything begins as soon as what it waits for is done, unless the host has yet to launch it.
  let gap: 'host' | 'idle' = 'idle';
  while (index !== undefined) {
    const { step, start, end } = occurrences[index]!;
    if (time > end) yield [gap, time - end];
    yield [step, end - start];
    time = start;
    gap = step.hostDuration > 0 ? 'host' : 'idle';
    index = causes.of(index);
  }
  if (time > host) yield [gap, time - host];
  if (host > 0) yield ['host', Math.min(time, host)];
}

/**
 * A kernel's time by category: what it takes alone, and what collectives beside it, a slow chip and jitter add.
 *
 * @param ticksOnPath of all of its runs on the path
 */
function addKernel(into: Record<CriticalCategory, number>, step: KernelStep, runs: number, ticksOnPath: number): void {
  into.contention += ticksOnPath - runs * step.duration;
  if (step.op.phase === 'optimizer') into.optimizer += runs * step.duration;
  else for (const category of KERNEL_CATEGORIES) into[category] += runs * step.byCategory[category];
}

/** @param occurrences of all that a chip did, in the order of issue */
export function criticalPath(occurrences: readonly Occurrence[], duration: Ticks, host: Ticks): CriticalPath {
  const found = new Map<OnPath, { runs: number; ticks: number }>();
  for (const [on, length] of segments(occurrences, duration, host)) {
    const entry = found.get(on) ?? { runs: 0, ticks: 0 };
    entry.runs++;
    entry.ticks += length;
    found.set(on, entry);
  }
  const categories = { matmul: 0, memory: 0, vector: 0, overhead: 0, contention: 0, optimizer: 0, host: 0, idle: 0 };
  const byAxis = new Map<Lane, number>();
  for (const [on, entry] of found) {
    if (typeof on === 'string') categories[on] += entry.ticks;
    else if (on.kind === 'kernel') addKernel(categories, on, entry.runs, entry.ticks);
    else byAxis.set(on.axis, (byAxis.get(on.axis) ?? 0) + entry.ticks);
  }
  const byCategorySeconds = { ...categories };
  for (const category of Object.keys(categories) as CriticalCategory[])
    byCategorySeconds[category] = toSeconds(ticks(categories[category]));
  return {
    ops: [...found]
      .filter(([, entry]) => entry.ticks > 0)
      .sort(([, a], [, b]) => b.ticks - a.ticks)
      .map(([on, entry]) => criticalOp(on, entry, duration)),
    byCategorySeconds,
    collectivesByAxisSeconds: Object.fromEntries([...byAxis].map(([axis, time]) => [axis, toSeconds(ticks(time))])),
  };
}

function criticalOp(on: OnPath, entry: { readonly runs: number; readonly ticks: number }, duration: Ticks): CriticalOp {
  const length = { runs: entry.runs, seconds: toSeconds(ticks(entry.ticks)), share: entry.ticks / duration };
  if (typeof on === 'string') return { id: on, kind: on, phase: null, axis: null, ...length };
  const { op, kind } = on;
  return { id: op.id, kind, phase: op.phase, axis: kind === 'kernel' ? null : on.axis, ...length };
}
