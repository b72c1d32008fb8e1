/** When stages do what: the schedule's slots put in time, with what comes before and after them on each stage. */
import type { TrainingPipeline } from '../../src/program/index.js';
import type {
  Blocked,
  Schedule,
  ScheduleName,
  ScheduleShape,
  SlotKind,
  SlotTimes,
  Timeline,
} from '../../src/program/schedules/index.js';
import {
  blockingTransfers,
  countLimit,
  createSchedule,
  placeOf,
  placementOf,
  timeline,
  virtualStage,
  virtualStageCount,
} from '../../src/program/schedules/index.js';
import type { Ticks } from '../engine/index.js';
import { ticks } from '../engine/index.js';
import type { ProgramRun, ProgramRuns, Take } from './program-runs.js';
import type { Transfer, Transfers } from './transfers.js';
import { outputBytes } from './transfers.js';

/** What a plan says of a pipeline's schedule. */
export interface ScheduleWish {
  readonly name: ScheduleName;
  readonly microbatches: number;
  /** Virtual stages on each stage. */
  readonly chunks: number;
  /** Microbatches that a stage may keep, where the schedule leaves a choice and not as many as it is known for. */
  readonly memory?: number;
  /** Whether stages wait until what they send has arrived, whatever the stack could do meanwhile; not unless given. */
  readonly blocking?: boolean;
}

export const shapeOf = (pipeline: TrainingPipeline, { name, chunks }: ScheduleWish): ScheduleShape => ({
  stages: pipeline.stages.length,
  chunks,
  placement: placementOf(name),
});

/** What a stage does after its last slot. */
export interface Finish {
  /** That it waits for reductions which its last slots began. */
  readonly reducing: Ticks;
  /** That it waits for gradients of tied parameters, which were under way or were still to be sent. */
  readonly exchanging: { readonly exposed: Ticks; readonly waiting: Ticks };
  /** That it waits for what all stages agree on before their updates. */
  readonly agreeing: { readonly exposed: Ticks; readonly waiting: Ticks };
  readonly start: Ticks;
  /** When each of its programs begins. */
  readonly begins: readonly Ticks[];
  readonly end: Ticks;
}

export interface PipelineTimes {
  readonly schedule: Schedule;
  readonly timeline: Timeline<Ticks>;
  /** Whether stages wait until what they send has arrived, */
  readonly blocking: boolean;
  /** and who is kept by it then. */
  readonly blocked: Blocked;
  /** By stage: what it does before its first slot, the host included. */
  readonly begins: readonly Ticks[];
  readonly finishes: readonly Finish[];
  /**
   * By how much steps follow each other: no stage waits for the others between its update and its next step, so the
   * longest time that one takes from its beginning to its update.
   */
  readonly period: Ticks;
  /** The stage of which that is so. */
  readonly boundingStage: number;
  /** Of one step alone, from its beginning to the last update. */
  readonly alone: Ticks;
}

/** A slot's run: in the last microbatch it may be another, which need not be waited for to its end. */
export function takeOf(
  runs: ProgramRuns,
  pipeline: TrainingPipeline,
  virtual: number,
  kind: SlotKind,
  isLast: boolean,
): { readonly run: ProgramRun; readonly take: Take } {
  const { slots, last } = pipeline.virtual[virtual]!;
  const usual = slots[kind]!;
  const program = isLast ? last[kind]! : usual;
  const run = runs.of(program);
  return { run, take: program === usual ? run.whole : run.issued };
}

function slotTimesOf(
  runs: ProgramRuns,
  pipeline: TrainingPipeline,
  shape: ScheduleShape,
  transfers: Transfers,
): SlotTimes<Ticks> {
  const duration = (stage: number, kind: SlotKind, chunk: number, isLast: boolean): Ticks =>
    takeOf(runs, pipeline, virtualStage(shape, stage, chunk), kind, isLast).take.duration;
  return {
    slot: (stage, kind, chunk) => duration(stage, kind, chunk, false),
    last: (stage, kind, chunk) => duration(stage, kind, chunk, true),
    transfer: (from, to) => transfers.between(from, to).duration,
  };
}

/**
 * When the reductions that a stage's last slots began are done, if they are later than its last slot. Those of one slot
 * come after those of the slots before.
 */
function reducedAt(runs: ProgramRuns, pipeline: TrainingPipeline, times: Timeline<Ticks>, stage: number): number {
  const { schedule } = times;
  const slots = schedule.slots[stage]!;
  let latest = 0;
  slots.forEach(({ kind, chunk, microbatch }, index) => {
    if (microbatch !== schedule.microbatches - 1) return;
    const { run, take } = takeOf(runs, pipeline, virtualStage(schedule, stage, chunk), kind, true);
    if (take.duration === run.whole.duration && run.queued === 0) return;
    latest = Math.max(latest + run.queued, times.end(stage, index) + run.whole.duration - take.duration);
  });
  return Math.max(latest, times.stages[stage]!.end);
}

/** What all stages agree on before their updates, if anything. */
export function agreementOf(pipeline: TrainingPipeline, transfers: Transfers): Transfer | undefined {
  const check = pipeline.stages[0]!.finish.at(-2);
  const held = check === undefined ? 0 : outputBytes(check, (name) => name.startsWith('agree:'));
  return held === 0 ? undefined : transfers.agreement(held);
}

/** The exchange between two stages with tied parameters. */
export function exchangeOf(pipeline: TrainingPipeline, transfers: Transfers, stage: number): Transfer | undefined {
  const tied = pipeline.tied.find(({ stages }) => stages.includes(stage));
  if (tied === undefined) return undefined;
  const sent = outputBytes(pipeline.stages[stage]!.finish[0]!, (name) => name.startsWith('send:'));
  return transfers.exchange(...tied.stages, sent);
}

type Waited = Finish['exchanging'];
const NO_WAIT: Waited = { exposed: ticks(0), waiting: ticks(0) };

function finishesOf(
  runs: ProgramRuns,
  pipeline: TrainingPipeline,
  transfers: Transfers,
  times: Timeline<Ticks>,
): readonly Finish[] {
  const durations = pipeline.stages.map(({ finish }) => finish.map((program) => runs.of(program).whole.duration));
  const starts = pipeline.stages.map((_, stage) => reducedAt(runs, pipeline, times, stage));
  const begins = starts.map((start) => [ticks(start)]);
  /** When the next program of each stage can begin, as far as is known. */
  const ready = [...starts];
  const pass = (stage: number, program: number): void => {
    begins[stage]![program] = ticks(ready[stage]!);
    ready[stage]! += durations[stage]![program]!;
  };
  /** Waits for what arrives at a time, of which the last part is on its way. */
  const wait = (stage: number, arrival: number, onItsWay: number): Waited => {
    const gap = Math.max(0, arrival - ready[stage]!);
    ready[stage]! += gap;
    const exposed = Math.min(gap, onItsWay);
    return { exposed: ticks(exposed), waiting: ticks(gap - exposed) };
  };
  const stages = starts.map((_, stage) => stage);

  const exchanges = stages.map((stage) => exchangeOf(pipeline, transfers, stage));
  for (const stage of stages) if (exchanges[stage] !== undefined) pass(stage, 0);
  const sentAt = [...ready];
  const exchanging = stages.map((stage) => {
    const exchange = exchanges[stage];
    if (exchange === undefined) return NO_WAIT;
    const others = pipeline.tied.flatMap((tied) => (tied.stages.includes(stage) ? tied.stages : []));
    const arrival = Math.max(...others.filter((one) => one !== stage).map((other) => sentAt[other]!));
    return wait(stage, arrival + exchange.duration, exchange.duration);
  });

  const agreement = agreementOf(pipeline, transfers);
  if (agreement !== undefined) for (const stage of stages) pass(stage, durations[stage]!.length - 2);
  const agreed = Math.max(...ready) + (agreement?.duration ?? 0);
  const agreeing = stages.map((stage) => (agreement === undefined ? NO_WAIT : wait(stage, agreed, agreement.duration)));

  return stages.map((stage): Finish => {
    pass(stage, durations[stage]!.length - 1);
    const start = starts[stage]!;
    return {
      reducing: ticks(start - times.stages[stage]!.end),
      exchanging: exchanging[stage]!,
      agreeing: agreeing[stage]!,
      start: ticks(start),
      begins: begins[stage]!,
      end: ticks(ready[stage]!),
    };
  });
}

/** @param host what the host does before a step */
export function pipelineTimes(
  runs: ProgramRuns,
  pipeline: TrainingPipeline,
  transfers: Transfers,
  wish: ScheduleWish,
  { host, blocking, blocked }: Pick<PipelineTimes, 'blocking' | 'blocked'> & { readonly host: Ticks },
): PipelineTimes {
  const shape = shapeOf(pipeline, wish);
  const plain = slotTimesOf(runs, pipeline, shape, transfers);
  const times = blocking ? blockingTransfers(shape, plain, blocked) : plain;
  const { name, microbatches, chunks, memory } = wish;
  const schedule = createSchedule(name, {
    stages: shape.stages,
    microbatches,
    chunks,
    times,
    ...(memory === undefined ? {} : { memory: countLimit(memory, chunks) }),
    ...(wish.blocking === true ? { blocking: true } : {}),
  });
  const begins = pipeline.stages.map(({ start }) => ticks(host + runs.of(start).whole.duration));
  const found = timeline(schedule, times, { begin: (stage) => begins[stage]! });
  const finishes = finishesOf(runs, pipeline, transfers, found);
  const lengths = finishes.map(({ end }, stage) => end - found.stages[stage]!.start + begins[stage]!);
  const period = Math.max(...lengths);
  return {
    schedule,
    timeline: found,
    blocking,
    blocked,
    begins,
    finishes,
    period: ticks(period),
    boundingStage: lengths.indexOf(period),
    alone: ticks(Math.max(...finishes.map(({ end }) => end))),
  };
}

/** How long what a slot waits for is on its way, if it comes from another stage. */
export function arrivalOf(
  { schedule, blocking }: Pick<PipelineTimes, 'schedule' | 'blocking'>,
  transfers: Transfers,
): (stage: number, kind: SlotKind, chunk: number) => Transfer | undefined {
  /** By stage, chunk and direction; null where nothing comes from another stage. */
  const known: (Transfer | null | undefined)[] = [];
  const last = virtualStageCount(schedule) - 1;
  const find = (virtual: number, from: number, stage: number): Transfer | null => {
    const comes = !blocking && from >= 0 && from <= last && placeOf(schedule, from).stage !== stage;
    return comes ? transfers.between(from, virtual) : null;
  };
  return (stage, kind, chunk) => {
    if (kind === 'backward-weight') return undefined;
    const key = (stage * schedule.chunks + chunk) * 2 + (kind === 'forward' ? 0 : 1);
    if (known[key] === undefined) {
      const virtual = virtualStage(schedule, stage, chunk);
      known[key] = find(virtual, kind === 'forward' ? virtual - 1 : virtual + 1, stage);
    }
    return known[key] ?? undefined;
  };
}
