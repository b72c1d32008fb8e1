/**
 * One chip in virtual time, which stands for all: a sink of the tree walk that runs what it is given at once. Collectives
 * over one axis take turns, in the order of issue; those over different axes run side by side and share the links they
 * have in common. Kernels take longer beside collectives.
 *
 * All that comes to pass at one tick does so before rates change, so that they do not depend on the order of it.
 */
import { MeshwrightError } from '../src/errors.js';
import type { Load } from './cost/index.js';
import { NO_LOAD, joinLoads, slowdown } from './cost/index.js';
import type { Ticks } from './engine/index.js';
import { Fluid, addTicks, ticks } from './engine/index.js';
import type { ExposureTotals } from './exposure.js';
import { Exposure } from './exposure.js';
import { ChannelRun, setContended, setRates } from './network/index.js';
import type { Pending, RunId } from './pending.js';
import type { CollectiveStep, KernelStep, Plan } from './plan.js';
import type { CollectiveIssue, Leaps, Sink } from './walk.js';
import { walkTree } from './walk.js';

/** What became of an instruction. */
export interface Occurrence {
  readonly step: KernelStep | CollectiveStep;
  /** Of the repeats around it, outermost first. */
  readonly iterations: readonly number[];
  /** Of a collective. */
  readonly run?: RunId;
  /** What the chip waited for before it, and what a collective waited for that was issued. */
  readonly after: Pending;
  readonly operands: Pending;
  /** When the chip came to it and had what is in `after`. */
  readonly issued: Ticks;
  /** When the host had launched it, if that is later. */
  readonly launched: Ticks;
  /** Of a collective: on the links. */
  readonly start: Ticks;
  readonly end: Ticks;
}

interface CollectiveRun {
  readonly id: RunId;
  readonly step: CollectiveStep;
  readonly operands: Pending;
  readonly occurrence: { start: Ticks; end: Ticks } | undefined;
  begun: boolean;
  channelsLeft: number;
}

interface ActiveChannel {
  readonly run: CollectiveRun;
  readonly channel: ChannelRun;
}

interface Mark {
  readonly now: Ticks;
  readonly exposure: ExposureTotals;
  readonly contention: number;
  readonly hostWait: number;
  readonly host: number;
  readonly hostWaits: number;
}

class FoldedChip implements Sink {
  readonly exposure = new Exposure();
  readonly occurrences: Occurrence[] = [];
  readonly leaps: Leaps<Mark> | undefined;
  /** Ticks by which kernels took longer because of collectives beside them. */
  contention = 0;
  /** Ticks that it waited for the host to launch a kernel. */
  hostWait = 0;
  /** Whether all that shared links got the same of them on every chip. */
  even = true;
  now = ticks(0);
  issued: FoldedRun['issued'] = { at: ticks(0), exposure: this.exposure.totals() };
  /** When the host has launched all kernels so far, which it does ahead of the chip, and how many waited for it. */
  #host = 0;
  #hostWaits = 0;
  readonly #plan: Plan;
  readonly #recording: boolean;
  /** By collective, one an axis: what was issued and is not done; the first runs as soon as its operands are there. */
  readonly #laneOf: readonly CollectiveRun[][];
  /** By run; absent for those that are done. */
  readonly #open: (CollectiveRun | undefined)[] = [];
  #openRuns: CollectiveRun[] = [];
  #active: ActiveChannel[] = [];
  /** Whether patterns came or went, or what is on the links or beside a kernel did. */
  #patternsChanged = false;
  #ratesChanged = false;
  #load: Load = NO_LOAD;
  #kernel: { readonly step: KernelStep; readonly work: Fluid } | undefined;

  constructor(plan: Plan, recording: boolean) {
    this.#plan = plan;
    this.#recording = recording;
    const lanes = new Map(plan.collectives.map(({ axis }) => [axis, [] as CollectiveRun[]]));
    this.#laneOf = plan.collectives.map(({ axis }) => lanes.get(axis)!);
    this.leaps = recording
      ? undefined
      : {
          mark: this.#mark,
          repeats: this.#repeats,
          describe: this.#describe,
          placeOf: this.#placeOf,
          leap: this.#leap,
        };
  }

  run(): void {
    const { hostDuration } = this.#plan;
    this.exposure.setBusy(true, this.now);
    this.now = addTicks(this.now, hostDuration);
    this.exposure.setBusy(false, this.now);
    this.#host = this.now;
    walkTree(this.#plan, this);
    this.issued = { at: this.now, exposure: this.exposure.totals() };
    while (this.#openRuns.length > 0) this.#advance();
  }

  kernel(step: KernelStep, after: Pending, iterations: readonly number[]): void {
    this.wait(after);
    const issued = this.now;
    if (step.hostWaits === true) this.#host = Math.max(this.#host, this.now);
    this.#waitForHost(step.hostDuration, step.hostDelay);
    const start = this.now;
    this.exposure.setBusy(true, start);
    if (this.#openRuns.length === 0) this.now = addTicks(start, step.duration);
    else {
      this.#kernel = { step, work: new Fluid(step.duration, start) };
      this.#ratesChanged = true;
      while (this.#kernel !== undefined) this.#advance();
    }
    this.exposure.setBusy(false, this.now);
    this.contention += this.now - start - step.duration;
    if (this.#recording)
      this.occurrences.push({ step, iterations, after, operands: [], issued, launched: start, start, end: this.now });
  }

  collective({ step, run: id, after, operands, synchronous, iterations }: CollectiveIssue): void {
    this.wait(after);
    const issued = this.now;
    this.#waitForHost(step.hostDuration, step.hostDuration);
    this.exposure.setBusy(false, this.now);
    const launched = this.now;
    let occurrence;
    if (this.#recording) {
      occurrence = { step, iterations, run: id, after, operands, issued, launched, start: launched, end: launched };
      this.occurrences.push(occurrence);
    }
    const run = { id, step, operands, occurrence, begun: false, channelsLeft: step.channels.length };
    this.#open[id] = run;
    this.#openRuns.push(run);
    this.#laneOf[step.index]!.push(run);
    this.#beginNext();
    if (synchronous) this.#waitFor(id);
  }

  wait(after: Pending): void {
    for (const id of after) this.#waitFor(id);
  }

  readonly isDone = (id: RunId): boolean => this.#open[id] === undefined;

  /** @param hostDelay from when the host comes to it to when the chip can begin it */
  #waitForHost(hostDuration: Ticks, hostDelay: Ticks): void {
    const begin = this.#host + hostDelay;
    this.#host += hostDuration;
    if (hostDuration === 0 || begin <= this.now) return;
    this.#hostWaits++;
    this.hostWait += begin - this.now;
    this.exposure.setBusy(true, this.now);
    while (this.now < begin) this.#advance(begin);
  }

  #waitFor(id: RunId): void {
    while (this.#open[id] !== undefined) this.#advance();
  }

  /** To the next time that anything comes to pass, and all that does; no further than to `latest`. */
  #advance(latest = Infinity): void {
    this.#refresh();
    let next = this.#kernel?.work.end ?? latest;
    for (const { channel } of this.#active) if (channel.next < next) next = channel.next;
    if (next === Infinity) {
      const got = this.#openRuns.map(({ step }) => step.op.id).join(', ');
      throw new MeshwrightError('INTERNAL', { place: 'folded run', expected: 'something under way', got });
    }
    this.now = ticks(next);
    if (this.#kernel?.work.end === next) this.#kernel = undefined;
    let finished = false;
    const due = this.#active.filter(({ channel }) => channel.next === next);
    for (const { run, channel } of due) {
      const came = channel.pass();
      this.#ratesChanged = true;
      if (came !== 'phase') this.#patternsChanged = true;
      if (came === 'end') {
        this.#active = this.#active.filter((other) => other.channel !== channel);
        if (--run.channelsLeft === 0) {
          this.#finish(run);
          finished = true;
        }
      }
    }
    if (finished) this.#beginNext();
  }

  /** Begins what can begin, in the order of issue. */
  #beginNext(): void {
    for (const run of this.#openRuns)
      if (!run.begun && this.#laneOf[run.step.index]![0] === run && run.operands.every(this.isDone)) this.#begin(run);
  }

  #begin(run: CollectiveRun): void {
    run.begun = true;
    if (run.occurrence) run.occurrence.start = this.now;
    this.exposure.begin(run.step, this.now);
    this.#patternsChanged = true;
    for (const rounds of run.step.channels) this.#active.push({ run, channel: new ChannelRun(rounds, this.now) });
    if (run.channelsLeft > 0) return;
    this.#finish(run);
    this.#beginNext();
  }

  #finish(run: CollectiveRun): void {
    if (run.occurrence) run.occurrence.end = this.now;
    this.exposure.end(run.step, this.now);
    this.#open[run.id] = undefined;
    this.#openRuns = this.#openRuns.filter((other) => other !== run);
    this.#laneOf[run.step.index]!.shift();
    this.#patternsChanged = true;
  }

  /** Gives all that is under way the rate that it has from now on. */
  #refresh(): void {
    if (!this.#patternsChanged && !this.#ratesChanged) return;
    const { sharing, chip } = this.#plan;
    const channels = this.#active.map(({ channel }) => channel);
    if (this.#patternsChanged) {
      const together = setContended(channels, sharing, this.now);
      this.even &&= together;
      // In the order of the plan, as sums of doubles depend on it.
      const running = this.#openRuns.filter(({ begun }) => begun).sort((a, b) => a.step.index - b.step.index);
      this.#load = joinLoads(
        running.map(({ step }) => step.load),
        chip.chip,
      );
    }
    this.#patternsChanged = false;
    this.#ratesChanged = false;
    const even = setRates(channels, sharing, this.now);
    this.even &&= even;
    if (this.#kernel) {
      const { step, work } = this.#kernel;
      work.setRate(1 / slowdown(step.cost, chip, this.#load), this.now);
    }
  }

  #mark = (): Mark => ({
    now: this.now,
    exposure: this.exposure.totals(),
    contention: this.contention,
    hostWait: this.hostWait,
    host: this.#host,
    hostWaits: this.#hostWaits,
  });

  /** Either the host is as far ahead as it was, or it gets further ahead and nothing waited for it. */
  #repeats = (before: Mark): boolean => {
    const gained = this.now - this.#host - (before.now - before.host);
    return gained === 0 || (gained > 0 && this.#hostWaits === before.hostWaits);
  };

  #placeOf = (id: RunId): number => this.#openRuns.indexOf(this.#open[id]!);

  #describe = (numbers: number[]): void => {
    for (const { step, operands, begun } of this.#openRuns) {
      numbers.push(step.index, begun ? 1 : 0);
      for (const id of operands) if (!this.isDone(id)) numbers.push(this.#placeOf(id));
      numbers.push(-1);
    }
    for (const { run, channel } of this.#active) {
      numbers.push(this.#placeOf(run.id));
      channel.describe(this.now, numbers);
    }
    for (const collective of this.exposure.running) numbers.push((collective as CollectiveStep).index);
  };

  #leap = (before: Mark, times: number): void => {
    const by = ticks(times * (this.now - before.now));
    this.#host += times * (this.#host - before.host);
    this.now = addTicks(this.now, by);
    for (const { channel } of this.#active) channel.leap(by);
    this.contention += times * (this.contention - before.contention);
    this.hostWait += times * (this.hostWait - before.hostWait);
    this.exposure.repeat(before.exposure, times, this.now);
  };
}

export interface FoldedRun {
  readonly duration: Ticks;
  /** When the chip had nothing left to begin or to wait for; collectives may go on until `duration`. */
  readonly issued: { readonly at: Ticks; readonly exposure: ExposureTotals };
  readonly exposure: ExposureTotals;
  readonly contention: Ticks;
  readonly hostWait: Ticks;
  readonly even: boolean;
  /** In the order of issue, where they are recorded. */
  readonly occurrences: readonly Occurrence[];
}

/** @param recording keeps what became of each instruction, and leaps over none */
export function runFolded(plan: Plan, recording = false): FoldedRun {
  const chip = new FoldedChip(plan, recording);
  chip.run();
  const { now, issued, exposure, contention, hostWait, even, occurrences } = chip;
  return {
    duration: now,
    issued,
    exposure: exposure.totals(),
    contention: ticks(contention),
    hostWait: ticks(hostWait),
    even,
    occurrences,
  };
}
