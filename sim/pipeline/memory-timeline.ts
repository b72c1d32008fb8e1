/** A stage's memory over the time of a step, slot by slot. */
import { toSeconds } from '../engine/index.js';
import type { MemoryPoint } from '../memory-timeline.js';
import { thinned } from '../memory-timeline.js';
import { memoryMoments } from './memory.js';
import type { PipelineExecution } from './simulate.js';

export function pipelineMemoryTimeline(execution: PipelineExecution, stage: number): MemoryPoint[] {
  const { timeline, finishes, alone } = execution.times;
  const moments = memoryMoments(execution, stage);
  const samples = moments.map(({ byRole, opId }) => ({
    opId,
    liveBytes: byRole,
    totalBytes: byRole.reduce((sum, value) => sum + value, 0),
  }));
  const timeOf = (index: number): number => {
    const { at } = moments[index]!;
    if (at === 'start') return 0;
    return toSeconds(at === 'finish' ? finishes[stage]!.start : timeline.start(stage, at));
  };
  return thinned(samples, timeOf, toSeconds(alone));
}
