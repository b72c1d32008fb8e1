/** What each stage's time goes to in a step: its programs' parts, transfers that it waits for, and the bubble. */
import type { Lane } from '../../src/mesh/index.js';
import type { TrainingPipeline } from '../../src/program/index.js';
import type { SlotKind } from '../../src/program/schedules/index.js';
import { transfersOfSlot, virtualStage } from '../../src/program/schedules/index.js';
import type { TicksByCategory, TimeCategory } from '../categories.js';
import { TIME_CATEGORIES, mapCategories } from '../categories.js';
import type { Ticks } from '../engine/index.js';
import { ticks } from '../engine/index.js';
import type { ExposureTotals } from '../exposure.js';
import { exposureTotals } from '../exposure.js';
import type { ProgramRun, ProgramRuns, Take } from './program-runs.js';
import type { PipelineTimes } from './times.js';
import { arrivalOf, exchangeOf, takeOf } from './times.js';
import type { Transfers } from './transfers.js';

/** A program that a stage runs, and how often in a step. */
export interface Use {
  readonly part: 'start' | 'finish' | SlotKind;
  readonly chunk: number;
  readonly run: ProgramRun;
  readonly take: Take;
  readonly count: number;
}

function usesOf(runs: ProgramRuns, pipeline: TrainingPipeline, { schedule }: PipelineTimes, stage: number): Use[] {
  const { start, finish } = pipeline.stages[stage]!;
  const around = (part: 'start' | 'finish', run: ProgramRun): Use => ({
    part,
    chunk: 0,
    run,
    take: run.whole,
    count: 1,
  });
  const uses = [around('start', runs.of(start)), ...finish.map((program) => around('finish', runs.of(program)))];
  for (let chunk = 0; chunk < schedule.chunks; chunk++) {
    const virtual = virtualStage(schedule, stage, chunk);
    for (const kind of Object.keys(pipeline.virtual[virtual]!.slots) as SlotKind[]) {
      const usual = takeOf(runs, pipeline, virtual, kind, false);
      const last = takeOf(runs, pipeline, virtual, kind, true);
      const apart = usual.run !== last.run;
      const count = schedule.microbatches - (apart ? 1 : 0);
      if (count > 0) uses.push({ part: kind, chunk, ...usual, count });
      if (apart) uses.push({ part: kind, chunk, ...last, count: 1 });
    }
  }
  return uses;
}

export interface StageUse {
  readonly uses: readonly Use[];
  /** With `bubble` it adds up to the time between steps. */
  readonly byCategory: TicksByCategory;
  readonly bubble: Ticks;
  /** Of transfers, those of tied gradients and of what stages agree on included. */
  readonly transfers: Waiting;
  /** Transfers included, over `pipe`. */
  readonly exposure: ExposureTotals;
  readonly matmulFlops: number;
}

export interface Waiting {
  readonly exposed: number;
  readonly hidden: number;
}

/** Of what a stage waits for before its slots: how much of it is on its way then, and how much has been before. */
function transfersOf(pipeline: TrainingPipeline, transfers: Transfers, times: PipelineTimes, stage: number): Waiting {
  const { schedule, timeline } = times;
  const arrival = arrivalOf(times, transfers);
  let [exposed, hidden] = [0, 0];
  if (times.blocking) {
    const ofSlot = transfersOfSlot(schedule, (from, to) => transfers.between(from, to).duration, times.blocked);
    // A slot's time has what keeps its stage in it.
    for (const { kind, chunk } of schedule.slots[stage]!) {
      const { before, after } = ofSlot(stage, kind, chunk);
      exposed += before + after;
    }
  }
  let before: number | undefined;
  schedule.slots[stage]!.forEach(({ kind, chunk }, index) => {
    const transfer = arrival(stage, kind, chunk);
    if (transfer !== undefined && before !== undefined) {
      const waited = Math.min(timeline.start(stage, index) - before, transfer.duration);
      exposed += waited;
      hidden += transfer.duration - waited;
    }
    before = timeline.end(stage, index);
  });
  const exchange = exchangeOf(pipeline, transfers, stage);
  const { exchanging, agreeing } = times.finishes[stage]!;
  if (exchange !== undefined) hidden += exchange.duration - exchanging.exposed;
  // Nobody can do anything else before all agree.
  return { exposed: exposed + exchanging.exposed + agreeing.exposed, hidden };
}

/** The axis over which most of what goes on after the chip has issued all is exposed. */
function axisOfRest(uses: readonly Use[]): Lane | undefined {
  let most: readonly [Lane, number] | undefined;
  for (const { run, take } of uses) {
    for (const [axis, exposed] of Object.entries(run.whole.exposure.exposedByAxis) as [Lane, Ticks][]) {
      const rest = exposed - (take.exposure.exposedByAxis[axis] ?? 0);
      if (rest > (most?.[1] ?? 0)) most = [axis, rest];
    }
  }
  return most?.[0];
}

/** @param host what the host does before a step */
export function stageUse(
  runs: ProgramRuns,
  pipeline: TrainingPipeline,
  transfers: Transfers,
  times: PipelineTimes,
  stage: number,
  host: Ticks,
): StageUse {
  const uses = usesOf(runs, pipeline, times, stage);
  const found: Record<TimeCategory, number> = mapCategories(() => 0);
  const byAxis = new Map<Lane, number>();
  const expose = (axis: Lane, time: number): void => void byAxis.set(axis, (byAxis.get(axis) ?? 0) + time);
  let hidden = 0;
  let matmulFlops = 0;
  for (const { run, take, count } of uses) {
    for (const category of TIME_CATEGORIES) found[category] += count * take.byCategory[category];
    for (const [axis, time] of Object.entries(take.exposure.exposedByAxis)) expose(axis as Lane, count * time);
    hidden += count * take.exposure.hidden;
    matmulFlops += count * run.matmulFlops;
  }
  found.host += host;
  const waiting = transfersOf(pipeline, transfers, times, stage);
  const { reducing } = times.finishes[stage]!;
  const restAxis = axisOfRest(uses);
  expose('pipe', waiting.exposed);
  if (restAxis !== undefined) expose(restAxis, reducing);
  found.exposedCommunication += waiting.exposed + reducing;
  const used = Object.values(found).reduce((sum, part) => sum + part, 0);
  return {
    uses,
    byCategory: mapCategories((category) => ticks(found[category])),
    bubble: ticks(times.period - used),
    transfers: waiting,
    exposure: exposureTotals(byAxis, hidden + waiting.hidden),
    matmulFlops,
  };
}
