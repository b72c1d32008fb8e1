/** The forward pass alone through the stages of a pipeline, to evaluate with. */
import type { LowerOptions } from '../passes/lower.js';
import { lowerForward } from '../passes/lower.js';
import type { Schedule, ScheduleShape } from '../schedules/index.js';
import type { Program } from '../types.js';
import { cutForward } from './cut.js';
import type { Pipeline, PipelineShape, SlotPrograms } from './pipeline.js';
import { chunksOf, memo, partsOf } from './pipeline.js';

/**
 * Programs on the parameters as the stages of a pipeline with these options keep them.
 *
 * @param output what the last virtual stage gives: `loss`, whose sums are pending, or `logits`
 */
export function lowerPipelineForward(
  forward: Program,
  { layers, placement, ...options }: PipelineShape & Pick<LowerOptions, 'shard' | 'bucketBytes'>,
  output: 'loss' | 'logits',
): Pipeline {
  const slotsFor = memo<SlotPrograms>();
  const virtual = partsOf(forward, { layers, placement }).map((one) => {
    const slots = slotsFor(one.part, () => ({ forward: lowerForward(cutForward(forward, one.part, output), options) }));
    return { ...one, slots, last: slots };
  });
  return { virtual, stages: placement.map((indices) => ({ finish: [], ...chunksOf(virtual, indices) })), tied: [] };
}

/** One microbatch forward through all stages. */
export const forwardSchedule = (shape: ScheduleShape): Schedule => ({
  name: 'forward',
  stages: shape.stages,
  chunks: shape.chunks,
  placement: shape.placement,
  microbatches: 1,
  slots: Array.from({ length: shape.stages }, () =>
    Array.from({ length: shape.chunks }, (_, chunk) => ({ kind: 'forward', chunk, microbatch: 0 })),
  ),
});
