/** The schedule engine alone: a step from what slots and transfers were measured to take, without a model or a machine. */
import type { Seconds } from '../../units.js';
import { seconds } from '../../units.js';
import type { ScheduleName } from './by-name.js';
import { createSchedule, placementOf } from './by-name.js';
import { countLimit } from './automatic.js';
import { placeOf, virtualStageCount } from './schedule.js';
import type { StageTimes } from './slot-times.js';
import { blockingTransfers, slotTimes } from './slot-times.js';
import type { Timeline } from './timeline.js';
import { timeline } from './timeline.js';

export interface MeasuredPipeline {
  readonly name: ScheduleName;
  readonly stages: number;
  readonly microbatches: number;
  /** Virtual stages a stage; 1 unless given. */
  readonly chunks?: number;
  /** What one microbatch takes on a stage, all its chunks together: of each stage, or of all. */
  readonly times: StageTimes<Seconds> | readonly StageTimes<Seconds>[];
  /** Microbatches that a stage may keep, where the schedule leaves a choice. */
  readonly memory?: number;
  /** Whether stages wait until what they send has arrived. */
  readonly blocking?: boolean;
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

/**
 * Of slots alone: an optimizer and reductions come on top.
 *
 * @throws MeshwrightError PLAN_INVALID where the schedule can't have that many chunks
 */
export function predictStep(pipeline: MeasuredPipeline): PredictedStep {
  const { name, stages, microbatches, chunks = 1, times, memory, blocking = false } = pipeline;
  const shape = { stages, chunks, placement: placementOf(name) };
  const byVirtual = Array.from({ length: virtualStageCount(shape) }, (_, virtual): StageTimes<number> => {
    const whole = 'forward' in times ? times : times[placeOf(shape, virtual).stage]!;
    return {
      forward: Math.round(ticksOf(whole.forward) / chunks),
      backwardInput: Math.round(ticksOf(whole.backwardInput) / chunks),
      backwardWeight: Math.round(ticksOf(whole.backwardWeight) / chunks),
      transfer: ticksOf(whole.transfer),
    };
  });
  const plain = slotTimes(shape, byVirtual);
  const taken = blocking ? blockingTransfers(shape, plain) : plain;
  const limit = memory === undefined ? {} : { memory: countLimit(memory, chunks) };
  const found = timeline(createSchedule(name, { stages, microbatches, chunks, times: taken, ...limit }), taken);
  return {
    stepSeconds: seconds(found.longestSpan / TICKS),
    aloneSeconds: seconds(found.stepTime / TICKS),
    timeline: found,
  };
}
