/** What the ranks of one stage of a pipeline are told: their programs and everybody's order. It can be cloned. */
import type { Pipeline, PipelineStage, SlotKind, VirtualStage } from '../program/index.js';

/** A slot of a schedule. */
export interface ScheduledSlot {
  readonly kind: SlotKind;
  readonly chunk: number;
  readonly microbatch: number;
}

export interface StageTask {
  readonly index: number;
  readonly stage: PipelineStage;
  /** The virtual stages of its chunks. */
  readonly chunks: readonly VirtualStage[];
  /** Of each stage the virtual stages of its chunks. */
  readonly placement: readonly (readonly number[])[];
  /** Of each stage its slots, in order. */
  readonly order: readonly (readonly ScheduledSlot[])[];
  /** Parameters that another stage has too, and which. */
  readonly tied: readonly { readonly name: string; readonly other: number }[];
}

/** @param order of each stage its slots: a schedule's */
export function stageTasks(pipeline: Pipeline, order: readonly (readonly ScheduledSlot[])[]): StageTask[] {
  const placement = pipeline.stages.map(({ chunks }) => chunks.map(({ virtual }) => virtual));
  return pipeline.stages.map((stage, index) => ({
    index,
    stage,
    chunks: stage.chunks.map(({ virtual }) => pipeline.virtual[virtual]!),
    placement,
    order,
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
  readonly microbatch: number;
  /** The stage that gets it. */
  readonly to: number;
}

/** What a slot sends along the stream, if anything. */
export function sentBy({ placement }: StageTask, stage: number, slot: ScheduledSlot): Sent | undefined {
  if (slot.kind === 'backward-weight') return undefined;
  const forward = slot.kind === 'forward';
  const virtual = placement[stage]![slot.chunk]! + (forward ? 1 : -1);
  const to = placement.findIndex((chunks) => chunks.includes(virtual));
  if (to < 0) return undefined;
  return { name: forward ? 'stream' : 'stream-cotangent', virtual, microbatch: slot.microbatch, to };
}
