/** What the ranks of one stage of a pipeline are told: their programs, and the schedule of all. It can be cloned. */
import type { Pipeline, PipelineStage, VirtualStage } from '../program/index.js';
import { invalid, virtualStages } from '../program/index.js';
import type { Schedule, Slot } from '../program/schedules/index.js';
import { placeOf, virtualStage, virtualStageCount } from '../program/schedules/index.js';

export interface StageTask {
  readonly index: number;
  readonly stage: PipelineStage;
  /** The virtual stages of its chunks. */
  readonly chunks: readonly VirtualStage[];
  readonly schedule: Schedule;
  /** Parameters that another stage has too, and which. */
  readonly tied: readonly { readonly name: string; readonly other: number }[];
}

/** @throws MeshwrightError PROGRAM_INVALID where the schedule is one of other stages than the pipeline's */
export function stageTasks(pipeline: Pipeline, schedule: Schedule): StageTask[] {
  const placed = JSON.stringify(pipeline.stages.map(({ chunks }) => chunks.map(({ virtual }) => virtual)));
  const scheduled = JSON.stringify(virtualStages(schedule));
  if (placed !== scheduled) throw invalid(schedule.name, `virtual stages placed as ${placed}`, scheduled);
  return pipeline.stages.map((stage, index) => ({
    index,
    stage,
    chunks: stage.chunks.map(({ virtual }) => pipeline.virtual[virtual]!),
    schedule,
    tied: pipeline.tied.flatMap(({ name, stages }) => {
      if (!stages.includes(index)) return [];
      return [{ name, other: stages[0] === index ? stages[1] : stages[0] }];
    }),
  }));
}

/** A port's message: to which virtual stage, for which microbatch. */
export const portKey = (name: string, virtual: number, microbatch: number): string =>
  `${name} of microbatch ${microbatch} to virtual stage ${virtual}`;

export interface Sent {
  /** The port that it goes through. */
  readonly name: string;
  readonly virtual: number;
  /** Where that virtual stage lies. */
  readonly to: { readonly stage: number; readonly chunk: number };
}

/** What a slot of a stage sends along the stream, if anything. */
export function sentBy(schedule: Schedule, stage: number, { kind, chunk }: Slot): Sent | undefined {
  if (kind === 'backward-weight') return undefined;
  const forward = kind === 'forward';
  const virtual = virtualStage(schedule, stage, chunk) + (forward ? 1 : -1);
  if (virtual < 0 || virtual >= virtualStageCount(schedule)) return undefined;
  return { name: forward ? 'stream' : 'stream-cotangent', virtual, to: placeOf(schedule, virtual) };
}
