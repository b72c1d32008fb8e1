/**
 * What the time between steps hangs on, slot by slot: from the end of the stage that bounds it back along what each slot
 * waited for, the one before it on its stage or the transfer of what another stage made, until the time is used up.
 */
import type { Lane } from '../../src/mesh/index.js';
import { virtualStage } from '../../src/program/schedules/index.js';
import { TIME_CATEGORIES } from '../categories.js';
import type { CriticalCategory, CriticalOp, CriticalPath } from '../critical-path.js';
import type { Ticks } from '../engine/index.js';
import { ticks, toSeconds } from '../engine/index.js';
import type { Take } from './program-runs.js';
import type { PipelineExecution } from './simulate.js';
import { agreementOf, arrivalOf, exchangeOf, takeOf } from './times.js';

/** A part of the path, all its runs together. */
interface Part {
  readonly id: string;
  readonly kind: CriticalOp['kind'];
  readonly axis: Lane | null;
  /** What a run of it is made of; transfers and waits are of nothing else. */
  readonly take?: Take;
  runs: number;
  ticks: number;
}

class Path {
  readonly parts = new Map<string, Part>();
  /** How much of the time between steps is still to be found. */
  left: number;

  constructor(length: number) {
    this.left = length;
  }

  add(id: string, length: number, kind: Part['kind'], axis: Lane | null = null, take?: Take): void {
    const counted = Math.min(length, this.left);
    if (counted <= 0) return;
    const part = this.parts.get(id) ?? { id, kind, axis, runs: 0, ticks: 0, ...(take === undefined ? {} : { take }) };
    part.runs++;
    part.ticks += counted;
    this.left -= counted;
    this.parts.set(id, part);
  }
}

function follow(execution: PipelineExecution): Path {
  const { pipeline, runs, transfers, times, host } = execution;
  const { schedule, timeline, finishes, begins, period, boundingStage } = times;
  const path = new Path(period);
  const arrival = arrivalOf(times, transfers);
  const finishTakes = (stage: number): readonly Take[] =>
    pipeline.stages[stage]!.finish.map((program) => runs.of(program).whole);
  let stage = boundingStage;
  const [update] = finishTakes(stage).slice(-1);
  path.add(`stage ${stage}/update`, update!.duration, 'slot', null, update);
  const agreement = agreementOf(pipeline, transfers);
  if (agreement !== undefined) {
    path.add('agreement of all stages', agreement.duration, 'collective', 'pipe');
    stage = finishes.findIndex(({ agreeing }) => agreeing.waiting === 0);
    const check = finishTakes(stage).at(-2)!;
    path.add(`stage ${stage}/check gradients`, check.duration, 'slot', null, check);
  }
  const { exposed, waiting } = finishes[stage]!.exchanging;
  if (exchangeOf(pipeline, transfers, stage) !== undefined) {
    if (exposed + waiting > 0) {
      const tied = pipeline.tied.find(({ stages }) => stages.includes(stage))!;
      path.add('transfer of tied gradients', exchangeOf(pipeline, transfers, stage)!.duration, 'collective', 'pipe');
      stage = tied.stages[0] === stage ? tied.stages[1] : tied.stages[0];
    }
    const sending = finishTakes(stage)[0]!;
    path.add(`stage ${stage}/reduce tied gradients`, sending.duration, 'slot', null, sending);
  }
  path.add(`stage ${stage}/reduce the last gradients`, finishes[stage]!.reducing, 'collective', 'data');
  /** What a slot's end has in common with the beginning of the one that the path came from: the transfer between them. */
  let shared = 0;
  for (let index = schedule.slots[stage]!.length - 1; index >= 0 && path.left > 0;) {
    const { kind, chunk, microbatch } = schedule.slots[stage]![index]!;
    const isLast = microbatch === schedule.microbatches - 1;
    const { take } = takeOf(runs, pipeline, virtualStage(schedule, stage, chunk), kind, isLast);
    const start = timeline.start(stage, index);
    const length = timeline.end(stage, index) - start;
    path.add(
      `stage ${stage}/${kind}${schedule.chunks > 1 ? ` of chunk ${chunk}` : ''}`,
      take.duration,
      'slot',
      null,
      take,
    );
    // Where stages wait for what they send.
    path.add('transfers', length - take.duration - shared, 'collective', 'pipe');
    shared = 0;
    const before = index > 0 ? timeline.end(stage, index - 1) : begins[stage]!;
    const from = timeline.sender(stage, index);
    if (from === undefined || start === before) {
      if (index === 0) path.add('idle', start - begins[stage]!, 'idle');
      index--;
      continue;
    }
    path.add('transfers', arrival(stage, kind, chunk)?.duration ?? 0, 'collective', 'pipe');
    ({ stage, index } = from);
    shared = Math.max(0, timeline.end(stage, index) - start);
  }
  const starting = runs.of(pipeline.stages[stage]!.start).whole;
  path.add(`stage ${stage}/start`, starting.duration, 'slot', null, starting);
  path.add('host', host, 'host');
  path.add('idle', path.left, 'idle');
  return path;
}

export function pipelineCriticalPath(execution: PipelineExecution): CriticalPath {
  const { period } = execution.times;
  const { parts } = follow(execution);
  const categories = { matmul: 0, memory: 0, vector: 0, overhead: 0, contention: 0, optimizer: 0, host: 0, idle: 0 };
  const byAxis = new Map<Lane, number>();
  const expose = (axis: Lane, time: number): void => void byAxis.set(axis, (byAxis.get(axis) ?? 0) + time);
  for (const { kind, axis, take, ticks: length } of parts.values()) {
    if (take === undefined) {
      if (axis !== null) expose(axis, length);
      else categories[kind === 'host' ? 'host' : 'idle'] += length;
      continue;
    }
    // The last run may be cut where the time between steps begins.
    const share = take.duration === 0 ? 0 : length / take.duration;
    for (const category of TIME_CATEGORIES)
      if (category !== 'exposedCommunication' && category !== 'variation')
        categories[category] += share * take.byCategory[category];
    for (const [over, time] of Object.entries(take.exposure.exposedByAxis)) expose(over as Lane, share * time);
  }
  const inSeconds = (value: number): number => toSeconds(value as Ticks);
  return {
    ops: [...parts.values()]
      .sort((a, b) => b.ticks - a.ticks)
      .map(({ id, kind, axis, runs, ticks: length }) => ({
        id,
        kind,
        phase: null,
        axis,
        runs,
        seconds: toSeconds(ticks(length)),
        share: length / period,
      })),
    byCategorySeconds: Object.fromEntries(
      Object.entries(categories).map(([category, value]) => [category, inSeconds(value)]),
    ) as Record<CriticalCategory, number>,
    collectivesByAxisSeconds: Object.fromEntries([...byAxis].map(([axis, time]) => [axis, inSeconds(time)])),
  };
}
