/**
 * A step on every chip and every link, as discrete events: when a kernel ends on a chip, when a flow leaves its links,
 * when it arrives. All chips go through the same script, each at its own pace; they meet where flows join them.
 */
import { MeshwrightError } from '../../src/errors.js';
import type { Lane } from '../../src/mesh/index.js';
import type { Ticks } from '../engine/index.js';
import { EntityQueue, ticks, toSeconds } from '../engine/index.js';
import type { Instruction } from '../instructions.js';
import type { Fabric } from '../machine/index.js';
import type { CollectiveStep, KernelStep } from '../plan.js';
import { Channels } from './channels.js';
import { ChipTimes } from './chip-times.js';
import type { FlowTables, ScheduleRounds } from './flows.js';
import { flowTables } from './flows.js';
import type { Jitter } from './jitter.js';
import { jitterFactors } from './jitter.js';
import type { ChipSpan } from './recorder.js';
import { Recorder } from './recorder.js';
import type { RunLists, Script } from './script.js';
import { COLLECTIVE, KERNEL, scriptOf } from './script.js';
import { Slowdowns } from './slowdowns.js';
import { Transfers } from './transfers.js';

export interface UnfoldOptions {
  readonly chips: number;
  readonly fabric: Fabric;
  readonly instructions: readonly Instruction[];
  /** What the host does on every chip before all else. */
  readonly hostDuration?: Ticks;
  /** By chip: how much longer its kernels take. */
  readonly chipSlowdown?: ReadonlyMap<number, number>;
  readonly jitter?: Jitter;
  /** How much longer a kernel takes beside collectives, in the order of the plan; no longer where absent. */
  readonly slowdown?: (kernel: KernelStep, beside: readonly CollectiveStep[]) => number;
  /** Chips whose runs of kernels and collectives are kept. */
  readonly recorded?: readonly number[];
}

export interface UnfoldedRun {
  /** Until the last chip has done all. */
  readonly duration: Ticks;
  /** By chip, in ticks: until it has done all. */
  readonly ends: Float64Array;
  /** At work, the host included, and what its kernels would have taken with nothing beside them. */
  readonly busy: Float64Array;
  readonly kernelsAlone: Float64Array;
  /** Waiting for the host to launch a kernel. */
  readonly hostWait: Float64Array;
  /** Communication beside work, and alone. */
  readonly hidden: Float64Array;
  readonly exposedByAxis: ReadonlyMap<Lane, Float64Array>;
  /** Bytes that went over each link. */
  readonly linkBytes: Float64Array;
  readonly events: number;
  readonly flows: number;
  /** Of the recorded chips. */
  readonly spans: readonly ChipSpan[];
}

class Unfolding {
  readonly #chips: number;
  readonly #script: Script;
  readonly #tables: FlowTables;
  readonly #queue: EntityQueue;
  readonly #transfers: Transfers;
  readonly #channels: Channels;
  readonly #times: ChipTimes;
  readonly #slowdowns: Slowdowns | undefined;
  /** By run: the rounds of its channels. */
  readonly #rounds: readonly ScheduleRounds[];
  /** By lane: its first channel. */
  readonly #firstChannel: Int32Array;
  readonly #laneOfChannel: Int32Array;
  /** By chip. */
  readonly #cursor: Int32Array;
  readonly #computing: Uint8Array;
  /** When the host has launched all so far, and the line of the script that waits for it (−1: none). */
  readonly #host: Float64Array;
  readonly #launching: Int32Array;
  readonly #kernelStart: Float64Array;
  /** When the chip came to its kernel, which may have waited for the host since. */
  readonly #kernelIssued: Float64Array;
  readonly #ends: Float64Array;
  readonly #factors: Float64Array;
  readonly #alone: Float64Array;
  readonly #hostWait: Float64Array;
  /** By lane and chip (lane × chips + chip): runs issued and done, channels left of the one that runs. */
  readonly #issued: Int32Array;
  readonly #done: Int32Array;
  readonly #channelsLeft: Int32Array;
  readonly #jitter: (chip: number, instruction: number) => number;
  readonly #recorder: Recorder;
  #events = 0;

  constructor(options: UnfoldOptions) {
    const { chips, fabric, instructions, chipSlowdown, jitter, slowdown, recorded } = options;
    const script = scriptOf(instructions);
    const lanes = script.laneRuns.length;
    this.#chips = chips;
    this.#script = script;
    this.#firstChannel = new Int32Array(lanes + 1);
    const laneSchedules = script.laneRuns.map((runs, lane) => {
      const schedules = [...new Set(Array.from(runs, (run) => script.collectives[run]!.step.schedule))];
      const channels = Math.max(...schedules.map((schedule) => schedule.channels.length));
      this.#firstChannel[lane + 1] = this.#firstChannel[lane]! + channels;
      return { firstChannel: this.#firstChannel[lane]!, schedules };
    });
    const channels = this.#firstChannel[lanes]!;
    this.#laneOfChannel = new Int32Array(channels);
    for (let lane = 0; lane < lanes; lane++)
      this.#laneOfChannel.fill(lane, this.#firstChannel[lane]!, this.#firstChannel[lane + 1]!);
    const { tables, roundsOf } = flowTables(chips, fabric, laneSchedules);
    this.#tables = tables;
    this.#rounds = script.collectives.map(({ step }) => roundsOf.get(step.schedule)!);
    this.#queue = new EntityQueue(tables.flows + chips);
    const capacities = Float64Array.from(fabric.links, (link) => link.bytesPerSecond);
    this.#transfers = new Transfers(tables, capacities, this.#queue);
    this.#channels = new Channels(tables, this.#transfers, channels, chips);
    this.#times = new ChipTimes(chips, lanes);
    this.#slowdowns = slowdown && new Slowdowns(script, chips, slowdown);
    this.#cursor = new Int32Array(chips);
    this.#computing = new Uint8Array(chips);
    this.#host = new Float64Array(chips);
    this.#launching = new Int32Array(chips).fill(-1);
    this.#kernelStart = new Float64Array(chips);
    this.#kernelIssued = new Float64Array(chips);
    this.#ends = new Float64Array(chips).fill(NaN);
    this.#factors = new Float64Array(chips).fill(1);
    chipSlowdown?.forEach((factor, chip) => (this.#factors[chip] = factor));
    this.#alone = new Float64Array(chips);
    this.#hostWait = new Float64Array(chips);
    this.#recorder = new Recorder(script, chips, recorded ?? []);
    this.#issued = new Int32Array(lanes * chips);
    this.#done = new Int32Array(lanes * chips);
    this.#channelsLeft = new Int32Array(lanes * chips);
    this.#jitter = jitterFactors(jitter ?? { coefficientOfVariation: 0, seed: 0 });
  }

  run(hostDuration: number): UnfoldedRun {
    this.#host.fill(hostDuration);
    for (let chip = 0; chip < this.#chips; chip++) {
      if (hostDuration > 0) this.#compute(chip, hostDuration);
      else this.#goOn(chip);
    }
    const queue = this.#queue;
    const flows = this.#tables.flows;
    this.#settle();
    while (queue.advance()) {
      do {
        for (let entity = queue.take(); entity >= 0; entity = queue.take()) {
          this.#events++;
          if (entity >= flows) this.#chipIsDue(entity - flows);
          else if (this.#transfers.happens(entity)) this.#arrives(entity);
        }
      } while (queue.more());
      this.#settle();
    }
    this.#checkEnds();
    const { busy, hidden, exposed } = this.#times;
    return {
      duration: ticks(this.#ends.reduce((last, end) => Math.max(last, end), 0)),
      ends: this.#ends,
      busy,
      kernelsAlone: this.#alone,
      hostWait: this.#hostWait,
      hidden,
      exposedByAxis: new Map(
        this.#script.axes.map((axis, lane) => [axis, exposed.subarray(lane * this.#chips, (lane + 1) * this.#chips)]),
      ),
      linkBytes: this.#transfers.linkBytes,
      events: this.#events,
      flows: this.#transfers.started,
      spans: this.#recorder.spans,
    };
  }

  /** Rates, after all events of a tick. */
  #settle(): void {
    this.#slowdowns?.settle(this.#queue, this.#tables.flows);
    this.#transfers.settle();
  }

  #arrives(flow: number): void {
    const channels = this.#channels;
    channels.arrived(flow);
    while (channels.finishedCount > 0) {
      const channel = channels.finished[--channels.finishedCount]!;
      const chip = channel % this.#chips;
      const lane = this.#laneOfChannel[(channel - chip) / this.#chips]!;
      if (--this.#channelsLeft[lane * this.#chips + chip]! > 0) continue;
      this.#runEnds(chip, lane);
      this.#goOn(chip);
    }
  }

  /** Does all that a chip can do now: instructions until it waits or computes, collectives whose turn has come. */
  #goOn(chip: number): void {
    const { kind, subject, after, kernels, collectives } = this.#script;
    let line = this.#cursor[chip]!;
    for (;;) {
      while (this.#beginAny(chip));
      if (this.#computing[chip] === 1) return;
      if (line === kind.length) {
        this.#endIfDone(chip);
        return;
      }
      if (!this.#allDone(chip, after, line)) return;
      this.#cursor[chip] = line + 1;
      if (kind[line] === COLLECTIVE) {
        const { hostDuration } = collectives[subject[line]!]!.step;
        if (this.#recorder.keeps(chip)) this.#recorder.issue(chip, subject[line]!, this.#queue.now);
        if (!this.#waitsForHost(chip, line, hostDuration, hostDuration)) this.#issue(chip, line);
      }
      if (kind[line] === KERNEL) {
        const { hostDuration, hostDelay, hostWaits } = kernels[subject[line]!]!;
        if (hostWaits === true) this.#host[chip] = Math.max(this.#host[chip]!, this.#queue.now);
        this.#kernelIssued[chip] = this.#queue.now;
        if (!this.#waitsForHost(chip, line, hostDuration, hostDelay)) this.#launch(chip, line);
      }
      line++;
    }
  }

  /** @param hostDelay from when the host comes to it to when the chip can begin it */
  #waitsForHost(chip: number, line: number, hostDuration: number, hostDelay: number): boolean {
    const { now } = this.#queue;
    const begin = this.#host[chip]! + hostDelay;
    this.#host[chip]! += hostDuration;
    if (hostDuration === 0 || begin <= now) return false;
    this.#computing[chip] = 1;
    this.#launching[chip] = line;
    this.#hostWait[chip]! += begin - now;
    this.#times.setBusy(chip, true, now);
    this.#queue.push(this.#tables.flows + chip, begin);
    return true;
  }

  /** Gives the collective of a line of the script its turn. */
  #issue(chip: number, line: number): void {
    const { lane, subject } = this.#script;
    if (this.#recorder.keeps(chip)) this.#recorder.launch(chip, subject[line]!, this.#queue.now);
    this.#issued[lane[subject[line]!]! * this.#chips + chip]!++;
  }

  #allDone(chip: number, { starts, runs }: RunLists, index: number): boolean {
    for (let at = starts[index]!; at < starts[index + 1]!; at++) if (!this.#isDone(chip, runs[at]!)) return false;
    return true;
  }

  #isDone(chip: number, run: number): boolean {
    const { lane, place } = this.#script;
    return this.#done[lane[run]! * this.#chips + chip]! > place[run]!;
  }

  /** Begins the kernel of a line of the script. */
  #launch(chip: number, line: number): void {
    const { subject, instruction, kernels } = this.#script;
    const { duration } = kernels[subject[line]!]!;
    const factor = this.#factors[chip]! * this.#jitter(chip, instruction[line]!);
    const taken = factor === 1 ? duration : Math.round(duration * factor);
    this.#alone[chip]! += taken;
    this.#compute(chip, taken, subject[line]!);
  }

  /** @param kernel absent for the host, which nothing slows down */
  #compute(chip: number, duration: number, kernel = -1): void {
    const now = this.#queue.now;
    this.#kernelStart[chip] = now;
    this.#computing[chip] = 1;
    this.#times.setBusy(chip, true, now);
    if (this.#slowdowns !== undefined && kernel >= 0 && duration > 0)
      this.#slowdowns.begin(chip, kernel, duration, now);
    else this.#queue.push(this.#tables.flows + chip, now + duration);
  }

  /** What waited for the host begins, or a kernel ends. */
  #chipIsDue(chip: number): void {
    const line = this.#launching[chip]!;
    this.#launching[chip] = -1;
    if (line < 0) this.#kernelEnds(chip);
    else if (this.#script.kind[line] === KERNEL) this.#launch(chip, line);
    else {
      this.#computing[chip] = 0;
      this.#times.setBusy(chip, false, this.#queue.now);
      this.#issue(chip, line);
      this.#goOn(chip);
    }
  }

  #kernelEnds(chip: number): void {
    const now = this.#queue.now;
    this.#computing[chip] = 0;
    this.#times.setBusy(chip, false, now);
    this.#slowdowns?.end(chip);
    const line = this.#cursor[chip]! - 1;
    if (line >= 0 && this.#recorder.keeps(chip))
      this.#recorder.kernel(chip, line, this.#kernelIssued[chip]!, this.#kernelStart[chip]!, now);
    this.#goOn(chip);
  }

  /** Begins all collectives whose turn it is. @returns whether any was done at once, which others may wait for */
  #beginAny(chip: number): boolean {
    let any = false;
    for (let lane = 0; lane < this.#script.laneRuns.length; lane++) while (this.#begins(chip, lane)) any = true;
    return any;
  }

  /** Begins the next collective over an axis if its turn has come. @returns whether one was done at once */
  #begins(chip: number, lane: number): boolean {
    const at = lane * this.#chips + chip;
    const done = this.#done[at]!;
    if (done === this.#issued[at] || this.#channelsLeft[at]! > 0) return false;
    const run = this.#script.laneRuns[lane]![done]!;
    if (!this.#allDone(chip, this.#script.operands, run)) return false;
    const now = this.#queue.now;
    const rounds = this.#rounds[run]!;
    const first = this.#firstChannel[lane]!;
    this.#times.begin(chip, lane, run, now);
    this.#slowdowns?.collectiveBegins(chip, run);
    let left = 0;
    for (let channel = 0; channel + 1 < rounds.length; channel++)
      if (this.#channels.begin((first + channel) * this.#chips + chip, rounds[channel]!, rounds[channel + 1]!)) left++;
    this.#channelsLeft[at] = left;
    if (left > 0) return false;
    this.#runEnds(chip, lane);
    return true;
  }

  #runEnds(chip: number, lane: number): void {
    const at = lane * this.#chips + chip;
    const run = this.#script.laneRuns[lane]![this.#done[at]!]!;
    this.#done[at]!++;
    this.#times.end(chip, lane, this.#queue.now);
    this.#slowdowns?.collectiveEnds(chip, run);
    if (this.#recorder.keeps(chip))
      this.#recorder.collective(chip, run, this.#times.beganAt(chip, lane), this.#queue.now);
  }

  #endIfDone(chip: number): void {
    for (let lane = 0; lane < this.#script.laneRuns.length; lane++)
      if (this.#done[lane * this.#chips + chip]! < this.#script.laneRuns[lane]!.length) return;
    this.#ends[chip] = this.#queue.now;
  }

  /** @throws MeshwrightError INTERNAL when chips wait for each other and nothing is left that could happen */
  #checkEnds(): void {
    const chip = this.#ends.findIndex(Number.isNaN);
    if (chip < 0) return;
    const got = this.#waitsFor(chip);
    const place = `chip ${chip} after ${toSeconds(ticks(this.#queue.now))} s`;
    throw new MeshwrightError('INTERNAL', { place, expected: 'all chips to end the step', got });
  }

  #waitsFor(chip: number): string {
    const { laneRuns, collectives, kind, after } = this.#script;
    const nameOf = (run: number): string =>
      `${collectives[run]!.step.name} ${collectives[run]!.step.op.id} (run ${run})`;
    const lanes = laneRuns.flatMap((runs, lane) => {
      const at = lane * this.#chips + chip;
      const run = runs[this.#done[at]!];
      if (run === undefined || this.#done[at] === this.#issued[at]) return [];
      if (this.#channelsLeft[at] === 0) return [`${nameOf(run)} waits for what it reads`];
      const first = this.#firstChannel[lane]!;
      const channelCount = collectives[run]!.step.schedule.channels.length;
      const channels = Array.from({ length: channelCount }, (_, index) =>
        this.#channels.describe((first + index) * this.#chips + chip),
      );
      return [`${nameOf(run)} waits for other chips: ${channels.join('; ')}`];
    });
    const line = this.#cursor[chip]!;
    const awaited =
      line < kind.length ? Array.from(after.runs.subarray(after.starts[line], after.starts[line + 1])) : [];
    const open = awaited.filter((run) => !this.#isDone(chip, run));
    return [...open.map((run) => `waits for ${nameOf(run)}`), ...lanes].join(', ');
  }
}

/**
 * Runs a step on all chips of a machine.
 *
 * @throws MeshwrightError INTERNAL when chips wait for each other
 */
export const unfold = (options: UnfoldOptions): UnfoldedRun => new Unfolding(options).run(options.hostDuration ?? 0);
