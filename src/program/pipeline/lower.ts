/** A forward program as a pipeline: programs for the slots of each virtual stage, and around them for each stage. */
import { attributesOf } from '../builder.js';
import { invalid } from '../ops/index.js';
import type { LowerOptions } from '../passes/lower.js';
import {
  isDealt,
  lowerForward,
  microbatchGradients,
  mostArePending,
  reductionOf,
  schedule,
  shardsOf,
  verifier,
} from '../passes/lower.js';
import { reduceInLayers } from '../passes/reduce-gradients.js';
import type { Program, ProgramInput } from '../types.js';
import type { StagePart } from './cut.js';
import { cutForward, repeatOfLayers } from './cut.js';
import { splitSlots } from './slots.js';
import type { StageContext, StagePrograms } from './stage.js';
import { refuseLossScaling, stagePrograms } from './stage.js';
import { addToSums, asSums } from './sums.js';

export type SlotKind = 'forward' | 'backward' | 'backward-input' | 'backward-weight';

/** `forward` and `backward`, or `forward`, `backward-input` and `backward-weight`. */
export type SlotPrograms = Readonly<Partial<Record<SlotKind, Program>>>;

export interface PipelineOptions extends LowerOptions {
  /** How many layers each virtual stage has, in the order in which the stream passes them. */
  readonly layers: readonly number[];
  /** Of each stage its virtual stages, in the order of its chunks. */
  readonly placement: readonly (readonly number[])[];
  /** Whether the gradients of weights have slots of their own. */
  readonly splitBackward: boolean;
}

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

/** Parameters that are gathered once a step come to slots as the stage gathered them. */
function asGathered(program: Program, { choice, options }: StageContext): Program {
  const { shard } = options;
  if (shard === undefined || shard.stage === 'parameters') return program;
  const inputs = program.inputs.map((input): ProgramInput => {
    if (input.kind !== 'parameter' || !choice.has(input.name)) return input;
    return { kind: 'gathered', name: input.name, value: input.value };
  });
  return { ...program, inputs };
}

type Slots = Pick<VirtualStage, 'slots' | 'last'>;

function lowerSlots(context: StageContext, part: StagePart, splitBackward: boolean): Slots {
  const { forward, choice, options, verified } = context;
  const { microbatches, overlapGradients = false } = options;
  const { program } = microbatchGradients(verified(cutForward(forward, part)), choice, options, verified);
  const summed = verified(addToSums(program, isDealt(choice, options)));
  const kinds: readonly SlotKind[] = splitBackward
    ? ['forward', 'backward-input', 'backward-weight']
    : ['forward', 'backward'];
  const split = (whole: Program): Program[] =>
    splitSlots(asGathered(asSums(whole), context), splitBackward).map((slot) =>
      schedule(verified(slot), options, verified),
    );
  const named = (programs: readonly Program[]): SlotPrograms =>
    Object.fromEntries(kinds.map((kind, index) => [kind, programs[index]!]));
  const slots = named(split(summed));
  if (!overlapGradients || (microbatches > 1 && !mostArePending(program))) return { slots, last: slots };
  const only = (name: string): boolean => name.startsWith('gradient:');
  const reduced = split(verified(reduceInLayers(summed, { ...reductionOf(choice, options), only })));
  const changed = kinds.at(-1)!;
  return { slots, last: { ...slots, [changed]: reduced.at(-1)! } };
}

/** One result for equal keys. */
function memo<T>(): (key: unknown, make: () => T) => T {
  const made = new Map<string, T>();
  return (key, make) => {
    const text = JSON.stringify(key);
    const known = made.get(text) ?? make();
    made.set(text, known);
    return known;
  };
}

const parameterNames = (slots: SlotPrograms): string[] =>
  Object.values(slots).flatMap(({ inputs }) =>
    inputs.flatMap((input) =>
      input.kind === 'sum' && input.name !== 'loss' ? [input.name.replace('gradient:', '')] : [],
    ),
  );

/**
 * @param forward one microbatch's forward pass, on the mesh of one stage (without `pipe`), with an output `loss`
 * @throws MeshwrightError PLAN_INVALID where a pipeline cannot do what the plan asks for; PROGRAM_INVALID on a forward
 *   program without one repeat over the layers, or where layers and placement do not fit it
 */
export function lowerPipeline(forward: Program, pipeline: PipelineOptions): Pipeline {
  const { layers, placement, splitBackward, ...options } = pipeline;
  refuseLossScaling(options);
  const { count: depth } = attributesOf(repeatOfLayers(forward), 'repeat');
  const total = layers.reduce((sum, count) => sum + count, 0);
  if (total !== depth) throw invalid('pipeline', `${depth} layers`, String(total));
  const placed = placement.flat().toSorted((a, b) => a - b);
  if (placed.length !== layers.length || placed.some((virtual, index) => virtual !== index))
    throw invalid('pipeline', `each of ${layers.length} virtual stages on one stage`, JSON.stringify(placement));

  const context: StageContext = { forward, choice: shardsOf(forward, options), options, verified: verifier() };
  const slotsFor = memo<Slots>();
  const keys: unknown[] = [];
  let firstLayer = 0;
  const virtual = layers.map((count, index): VirtualStage => {
    const first = firstLayer;
    firstLayer += count;
    const part = { isFirst: index === 0, isLast: index === layers.length - 1, layers: count };
    const chosen = options.rematerializeLayers
      ?.filter((layer) => layer >= first && layer < first + count)
      .map((layer) => layer - first);
    const own = { ...options, ...(chosen === undefined ? {} : { rematerializeLayers: chosen }) };
    const key = [part, chosen?.toSorted((a, b) => a - b)];
    keys.push(key);
    return {
      part,
      firstLayer: first,
      ...slotsFor(key, () => lowerSlots({ ...context, options: own }, part, splitBackward)),
    };
  });

  // Stacks are of different layers on different stages; what is one tensor is the same one wherever it is.
  const isStack = (name: string): boolean => {
    const input = forward.inputs.find((one) => one.kind === 'parameter' && one.name === name)!;
    return forward.values[input.value]!.type.stack !== undefined;
  };
  const holders = new Map<string, Set<number>>();
  placement.forEach((chunks, stage) => {
    const names = new Set(chunks.flatMap((index) => parameterNames(virtual[index]!.slots)));
    for (const name of names) if (!isStack(name)) holders.set(name, (holders.get(name) ?? new Set()).add(stage));
  });
  const tied = [...holders].flatMap(([name, found]): Pipeline['tied'][number][] => {
    const [a, b, ...others] = [...found];
    if (a === undefined || b === undefined) return [];
    if (others.length > 0) throw invalid(name, 'a parameter of two stages at most', `${found.size}`);
    return [{ name, stages: [a, b] }];
  });

  const programsFor = memo<StagePrograms>();
  const stages = placement.map((indices, stage): PipelineStage => {
    const chunks = indices.map((index) => virtual[index]!);
    const names = tied.filter((one) => one.stages.includes(stage)).map(({ name }) => name);
    const lists = chunks.map(({ slots, last }) => ({ slots: Object.values(slots), last: Object.values(last) }));
    const programs = programsFor([indices.map((index) => keys[index]), names], () =>
      stagePrograms(context, lists, names),
    );
    let next = 0;
    const places = chunks.map(({ part }, index): Chunk => {
      const first = next;
      next += part.layers;
      return { virtual: indices[index]!, first };
    });
    const own = chunks.flatMap(({ firstLayer, part }) => Array.from({ length: part.layers }, (_, i) => firstLayer + i));
    return { ...programs, chunks: places, layers: own };
  });
  return { virtual, stages, tied };
}

/**
 * The forward passes alone, to evaluate with: a program for each virtual stage, on the parameters as the stages of a
 * pipeline with these options keep them.
 *
 * @param output what the last one gives: `loss`, whose sums are pending, or `logits`
 */
export function lowerPipelineForward(
  forward: Program,
  options: Pick<PipelineOptions, 'layers' | 'shard' | 'bucketBytes'>,
  output: 'loss' | 'logits',
): Program[] {
  const { layers } = options;
  const programFor = memo<Program>();
  return layers.map((count, index) => {
    const part = { isFirst: index === 0, isLast: index === layers.length - 1, layers: count };
    return programFor(part, () => lowerForward(cutForward(forward, part, output), options));
  });
}
