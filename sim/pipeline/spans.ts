/**
 * A simulated step of a pipeline as a measured one is recorded: each kernel, each collective and each message to another
 * stage, of one rank a stage. What each costs is in it too.
 */
import { rankCount, stageMesh } from '../../src/mesh/index.js';
import type { Program } from '../../src/program/index.js';
import { typeBytes } from '../../src/program/index.js';
import { placeOf, transfersOfSlot, virtualStage } from '../../src/program/schedules/index.js';
import type { Slot } from '../../src/program/schedules/index.js';
import type { SlotPlace, Span } from '../../src/trace/index.js';
import type { Ticks } from '../engine/index.js';
import { addTicks, ticks, toSeconds } from '../engine/index.js';
import type { Occurrence } from '../folded.js';
import { runFolded } from '../folded.js';
import type { Machine } from '../machine/index.js';
import { hostSpan, spansOf } from '../spans.js';
import type { PipelineExecution } from './simulate.js';
import { exchangeOf, takeOf } from './times.js';
import { chipTraffic } from '../network/index.js';
import type { Transfer } from './transfers.js';
import { COTANGENT, STREAM } from './transfers.js';

const TIED = 'send:tied:';
const AGREE = 'agree:';

class StageSpans {
  readonly spans: Span[] = [];
  readonly #execution: PipelineExecution;
  readonly #stage: number;
  readonly #rank: number;
  readonly #recorded: Map<Program, readonly Occurrence[]>;

  constructor(
    execution: PipelineExecution,
    stage: number,
    rank: number,
    recorded: Map<Program, readonly Occurrence[]>,
  ) {
    this.#execution = execution;
    this.#stage = stage;
    this.#rank = rank;
    this.#recorded = recorded;
  }

  run(): Span[] {
    const { host, pipeline, times } = this.#execution;
    const { schedule, timeline } = times;
    const { start, finish } = pipeline.stages[this.#stage]!;
    if (host > 0) this.spans.push(hostSpan(host, this.#rank));
    this.#program(start, host);
    schedule.slots[this.#stage]!.forEach((slot, index) =>
      this.#slot(slot, timeline.start(this.#stage, index), timeline.end(this.#stage, index)),
    );
    const { begins } = times.finishes[this.#stage]!;
    finish.forEach((program, index) => {
      this.#program(program, begins[index]!);
      const end = addTicks(begins[index]!, this.#durationOf(program));
      if (program.outputs.some(({ name }) => name.startsWith(TIED))) this.#tied(program, end);
      if (program.outputs.some(({ name }) => name.startsWith(AGREE))) this.#agree(program, end, begins[index + 1]!);
    });
    return this.spans;
  }

  #durationOf(program: Program): Ticks {
    return this.#execution.runs.of(program).whole.duration;
  }

  #program(program: Program, from: Ticks, slot?: SlotPlace): void {
    let recorded = this.#recorded.get(program);
    if (recorded === undefined) {
      recorded = runFolded(this.#execution.runs.of(program).plan, true).occurrences;
      this.#recorded.set(program, recorded);
    }
    const rank = this.#rank;
    for (const span of spansOf(recorded, { rank, from, ...(slot === undefined ? {} : { slot }) }))
      this.spans.push(span);
  }

  #slot({ kind, chunk, microbatch }: Slot, start: Ticks, end: Ticks): void {
    const { runs, pipeline, times, transfers } = this.#execution;
    const { schedule, blocking } = times;
    const virtual = virtualStage(schedule, this.#stage, chunk);
    const place = { stage: this.#stage, chunk, microbatch };
    const { run } = takeOf(runs, pipeline, virtual, kind, microbatch === schedule.microbatches - 1);
    const received = blocking
      ? transfersOfSlot(schedule, (from, to) => transfers.between(from, to).duration, times.blocked)(
          this.#stage,
          kind,
          chunk,
        ).before
      : 0;
    this.#program(run.program, addTicks(start, ticks(received)), place);
    const to = kind === 'forward' ? virtual + 1 : virtual - 1;
    if (kind === 'backward-weight' || to < 0 || to >= pipeline.virtual.length) return;
    if (placeOf(schedule, to).stage === this.#stage) return;
    const transfer = transfers.between(virtual, to);
    // Where stages wait for what they send, a slot's time has it in it.
    const sent = blocking ? ticks(end - transfer.duration) : end;
    this.#send(kind === 'forward' ? STREAM : COTANGENT, sent, transfer, place);
  }

  /** Gradients of tied parameters go one after the other. */
  #tied({ outputs, values }: Program, from: Ticks): void {
    const exchange = exchangeOf(this.#execution.pipeline, this.#execution.transfers, this.#stage)!;
    let start = from;
    for (const { name, value } of outputs) {
      if (!name.startsWith(TIED)) continue;
      const bytes = typeBytes(values[value]!.type);
      const duration = ticks(Math.round((exchange.duration * bytes) / exchange.bytes));
      this.#send(name, start, { bytes, duration });
      start = addTicks(start, duration);
    }
  }

  /** A number that is added up over all stages, when the last of them has it. */
  #agree({ outputs, values }: Program, issued: Ticks, end: Ticks): void {
    const { name, value } = outputs.find((output) => output.name.startsWith(AGREE))!;
    const { duration, schedule } = this.#execution.transfers.agreement(typeBytes(values[value]!.type));
    this.spans.push({
      id: name,
      kind: 'collective',
      name: 'all_reduce',
      phase: 'optimizer',
      rank: this.#rank,
      start: toSeconds(ticks(end - duration)),
      end: toSeconds(end),
      issued: toSeconds(issued),
      sentBytes: chipTraffic(schedule).sentBytes,
      axis: 'pipe',
    });
  }

  #send(id: string, start: Ticks, { bytes, duration }: Pick<Transfer, 'bytes' | 'duration'>, slot?: SlotPlace): void {
    this.spans.push({
      id,
      kind: 'collective',
      name: 'send',
      phase: slot === undefined ? 'reduce' : id === STREAM ? 'forward' : 'backward',
      rank: this.#rank,
      start: toSeconds(start),
      end: toSeconds(addTicks(start, duration)),
      issued: toSeconds(start),
      sentBytes: bytes,
      axis: 'pipe',
      ...(slot === undefined ? {} : { slot }),
    });
  }
}

/** By stage, of its first rank. */
export function pipelineSpans(execution: PipelineExecution, { mesh }: Machine): Span[][] {
  const ranks = rankCount(stageMesh(mesh));
  const recorded = new Map<Program, readonly Occurrence[]>();
  return execution.pipeline.stages.map((_, stage) => new StageSpans(execution, stage, stage * ranks, recorded).run());
}
