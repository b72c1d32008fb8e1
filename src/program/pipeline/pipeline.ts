/** A pipeline as data: programs for the slots of each virtual stage, around them for each stage, and what lies where. */
import { attributesOf } from '../builder.js';
import { invalid } from '../ops/index.js';
import type { ScheduleShape, SlotKind } from '../schedules/index.js';
import { virtualStage } from '../schedules/index.js';
import type { Program } from '../types.js';
import type { StagePart } from './cut.js';
import { repeatOfLayers } from './cut.js';

/** How a model is dealt to stages. */
export interface PipelineShape {
  /** How many layers each virtual stage has, in the order in which the stream passes them. */
  readonly layers: readonly number[];
  /** Of each stage its virtual stages, in the order of its chunks. */
  readonly placement: readonly (readonly number[])[];
}

/** `forward` and `backward`, or `forward`, `backward-input` and `backward-weight`; to evaluate with, `forward` alone. */
export type SlotPrograms = Readonly<Partial<Record<SlotKind, Program>>>;

export interface VirtualStage {
  readonly part: StagePart;
  /** The first of its layers, among the model's. */
  readonly firstLayer: number;
  /** The same object in virtual stages that do the same. */
  readonly slots: SlotPrograms;
  /**
   * What takes the place of `slots` in the slot of each kind that comes last in the step: where gradients are reduced
   * beside the layers before them, in the last microbatch. The same object where nothing differs.
   */
  readonly last: SlotPrograms;
}

export interface Chunk {
  /** Which virtual stage it is. */
  readonly virtual: number;
  /** Where its layers begin in the stage's stacks of parameters, optimizer state, sums and gathered parameters. */
  readonly first: number;
}

export interface StagePrograms {
  /** Before the first slot, if anything: the outputs `sum:NAME`, zeros, and `gathered:NAME`. */
  readonly start?: Program;
  /**
   * After the last slot: where there are tied parameters, what sends this stage's part of their gradients; where the loss
   * is scaled, what gives `agree:NAME`, which is added up over all stages and comes to the next one as a port
   * `agreed:NAME`; the update.
   */
  readonly finish: readonly Program[];
}

export interface PipelineStage extends StagePrograms {
  readonly chunks: readonly Chunk[];
  /** The model's layer that each element of the stage's stacks is. */
  readonly layers: readonly number[];
}

export interface Pipeline {
  /** In the order in which the stream passes them. */
  readonly virtual: readonly VirtualStage[];
  readonly stages: readonly PipelineStage[];
  /** Parameters that two stages have: each sends the other its gradient. */
  readonly tied: readonly { readonly name: string; readonly stages: readonly [number, number] }[];
}

/** A pipeline that trains: its sums begin as zeros. */
export interface TrainingPipeline extends Pipeline {
  readonly stages: readonly (PipelineStage & { readonly start: Program })[];
}

/** Of each stage its virtual stages, as a schedule has them. */
export const virtualStages = (shape: ScheduleShape): number[][] =>
  Array.from({ length: shape.stages }, (_, stage) =>
    Array.from({ length: shape.chunks }, (_, chunk) => virtualStage(shape, stage, chunk)),
  );

/**
 * What each virtual stage has of a model.
 *
 * @throws MeshwrightError PROGRAM_INVALID where that is not all of it, or the placement not one of these stages
 */
export function partsOf(
  forward: Program,
  { layers, placement }: PipelineShape,
): Pick<VirtualStage, 'part' | 'firstLayer'>[] {
  const { count: depth } = attributesOf(repeatOfLayers(forward), 'repeat');
  const total = layers.reduce((sum, count) => sum + count, 0);
  if (total !== depth) throw invalid('pipeline', `${depth} layers`, String(total));
  const placed = placement.flat().toSorted((a, b) => a - b);
  if (placed.length !== layers.length || placed.some((virtual, index) => virtual !== index))
    throw invalid('pipeline', `each of ${layers.length} virtual stages on one stage`, JSON.stringify(placement));
  let firstLayer = 0;
  return layers.map((count, index) => {
    const first = firstLayer;
    firstLayer += count;
    return { part: { isFirst: index === 0, isLast: index === layers.length - 1, layers: count }, firstLayer: first };
  });
}

/** A stage's chunks, whose layers lie one chunk after the other in its stacks. */
export function chunksOf(
  virtual: readonly Pick<VirtualStage, 'part' | 'firstLayer'>[],
  indices: readonly number[],
): Pick<PipelineStage, 'chunks' | 'layers'> {
  const layers: number[] = [];
  const chunks = indices.map((index): Chunk => {
    const { firstLayer, part } = virtual[index]!;
    const first = layers.length;
    for (let layer = 0; layer < part.layers; layer++) layers.push(firstLayer + layer);
    return { virtual: index, first };
  });
  return { chunks, layers };
}

/** One result for equal keys. */
export function memo<T>(): (key: unknown, make: () => T) => T {
  const made = new Map<string, T>();
  return (key, make) => {
    const text = JSON.stringify(key);
    const known = made.get(text) ?? make();
    made.set(text, known);
    return known;
  };
}
