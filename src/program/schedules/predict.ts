/** The schedule engine alone: a step from what slots and transfers were measured to take, without a model or a machine. */
import { MeshwrightError } from '../../errors.js';
import type { Seconds } from '../../units.js';
import { seconds } from '../../units.js';
import type { ScheduleName } from './by-name.js';
import { createSchedule, placementOf } from './by-name.js';
import { countLimit } from './automatic.js';
import type { ScheduleShape } from './schedule.js';
import { placeOf, virtualStageCount } from './schedule.js';
import type { SlotTimes, StageTimes } from './slot-times.js';
import { blockingTransfers, slotTimes } from './slot-times.js';
import type { Timeline } from './timeline.js';
import { timeline } from './timeline.js';

export interface MeasuredPipeline {
  readonly name: ScheduleName;
  readonly stages: number;
  readonly microbatches: number;
  /** Virtual stages a stage; 1 unless given. */
  readonly chunks?: number;
  /** What one microbatch takes on a stage, all its chunks together: of each stage, or of all, or on average. */
  readonly times: StageTimes<Seconds> | readonly StageTimes<Seconds>[];
  /**
   * What each virtual stage does of the model, in any one unit, such as layers: then `times` is an average over the
   * stages, and each takes its share. All do the same unless given.
   */
  readonly work?: readonly number[];
  /**
   * Where stages lie on several nodes: then the time of a transfer is an average over the hops from each stage to the
   * next, of which those within a node take less. All take the same unless given.
   */
  readonly nodes?: MeasuredNodes;
  /** Microbatches that a stage may keep, where the schedule leaves a choice. */
  readonly memory?: number;
  /** Whether stages wait until what they send has arrived. */
  readonly blocking?: boolean;
}

export interface MeasuredNodes {
  readonly stagesPerNode: number;
  /** Of a hop within a node; no more is taken than the average. */
  readonly within: Seconds;
}

export interface PredictedStep {
  /** By how much steps follow each other where no stage waits for the others between them. */
  readonly stepSeconds: Seconds;
  /** From the first slot to the last of all stages. */
  readonly aloneSeconds: Seconds;
  /** In ticks of 0.1 ns. */
  readonly timeline: Timeline<number>;
}

const TICKS = 1e10;
const ticksOf = (time: Seconds): number => Math.round(time * TICKS);

/** How much longer than the average each virtual stage takes. */
function sharesOf(work: readonly number[], shape: ScheduleShape): readonly number[] {
  const expected = virtualStageCount(shape);
  const total = work.reduce((sum, one) => sum + one, 0);
  if (work.length !== expected || !work.every((one) => one >= 0) || !(total > 0)) {
    throw new MeshwrightError('PLAN_INVALID', {
      place: 'schedule.work',
      expected: `${expected} numbers, one a virtual stage, of which some are above 0`,
      got: JSON.stringify(work),
    });
  }
  return work.map((one) => (one * expected) / total);
}

/** What hops take, so that those of a chain through all stages take `average` on average. */
function hopsOf({ stagesPerNode, within }: MeasuredNodes, stages: number, average: Seconds) {
  const nodeOf = (stage: number): number => Math.floor(stage / stagesPerNode);
  const between = nodeOf(stages - 1);
  const near = Math.min(within, average);
  const far = between === 0 ? average : ((stages - 1) * average - (stages - 1 - between) * near) / between;
  // On one node all hops are alike.
  return (from: number, to: number): Seconds => seconds(between > 0 && nodeOf(from) === nodeOf(to) ? near : far);
}

/**
 * Of slots alone: an optimizer and reductions come on top.
 *
 * @throws MeshwrightError PLAN_INVALID where the schedule can't have that many chunks, or of `work` that is not theirs
 */
export function predictStep(pipeline: MeasuredPipeline): PredictedStep {
  const { name, stages, microbatches, chunks = 1, times, work, nodes, memory, blocking = false } = pipeline;
  const shape = { stages, chunks, placement: placementOf(name) };
  const shares = work === undefined ? undefined : sharesOf(work, shape);
  const timesOf = (virtual: number): StageTimes<Seconds> =>
    'forward' in times ? times : times[placeOf(shape, virtual).stage]!;
  const byVirtual = Array.from({ length: virtualStageCount(shape) }, (_, virtual): StageTimes<number> => {
    const whole = timesOf(virtual);
    const share = (shares?.[virtual] ?? 1) / chunks;
    return {
      forward: Math.round(ticksOf(whole.forward) * share),
      backwardInput: Math.round(ticksOf(whole.backwardInput) * share),
      backwardWeight: Math.round(ticksOf(whole.backwardWeight) * share),
      transfer: ticksOf(whole.transfer),
    };
  });
  const uniform = slotTimes(shape, byVirtual);
  const plain: SlotTimes<number> = {
    ...uniform,
    transfer(from, to) {
      if (nodes === undefined) return uniform.transfer(from, to);
      const [here, there] = [from, to].map((virtual) => placeOf(shape, virtual).stage);
      return ticksOf(hopsOf(nodes, stages, timesOf(from).transfer)(here!, there!));
    },
  };
  const taken = blocking ? blockingTransfers(shape, plain) : plain;
  const limit = memory === undefined ? {} : { memory: countLimit(memory, chunks) };
  const found = timeline(createSchedule(name, { stages, microbatches, chunks, times: taken, ...limit }), taken);
  return {
    stepSeconds: seconds(found.longestSpan / TICKS),
    aloneSeconds: seconds(found.stepTime / TICKS),
    timeline: found,
  };
}
