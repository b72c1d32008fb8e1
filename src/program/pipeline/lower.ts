/** A forward program as a pipeline: programs for the slots of each virtual stage, and around them for each stage. */
import { invalid } from '../ops/index.js';
import type { LowerOptions } from '../passes/lower.js';
import { isCopied } from '../passes/copy-once.js';
import {
  copiesFor,
  isDealt,
  microbatchGradients,
  mostArePending,
  parameterType,
  reductionOf,
  schedule,
  shardsOf,
  verifier,
} from '../passes/lower.js';
import { monitorSlot } from '../passes/monitor.js';
import { reduceInLayers } from '../passes/reduce-gradients.js';
import type { SlotKind } from '../schedules/index.js';
import { KEEP_LEAST } from '../passes/keeping.js';
import type { Program, ProgramInput } from '../types.js';
import type { StagePart } from './cut.js';
import { cutForward } from './cut.js';
import type { Pipeline, PipelineShape, SlotPrograms, TrainingPipeline, VirtualStage } from './pipeline.js';
import { PipelineParts } from './parts.js';
import type { Slots } from './parts.js';
import { chunksOf, partsOf } from './pipeline.js';
import { splitSlots } from './slots.js';
import type { StageContext } from './stage.js';
import { stagePrograms } from './stage.js';
import { addToSums, asSums } from './sums.js';

export interface PipelineOptions extends LowerOptions, PipelineShape {
  /** Whether the gradients of weights have slots of their own. */
  readonly splitBackward: boolean;
}

/** Parameters that a step works on copies of come to slots as the stage made them. */
function asGathered(program: Program, { forward, choice, options }: StageContext): Program {
  const copies = copiesFor(forward, choice, options);
  const kept = parameterType(forward);
  const inputs = program.inputs.map((input): ProgramInput => {
    if (input.kind !== 'parameter' || !isCopied(copies, input, program.values[input.value]!.type, kept)) return input;
    return { kind: 'gathered', name: input.name, value: input.value };
  });
  return { ...program, inputs };
}

function lowerSlots(context: StageContext, part: StagePart, splitBackward: boolean): Slots {
  const { forward, choice, options, verified } = context;
  const { microbatches, overlapGradients = false, monitored = false } = options;
  const { program } = microbatchGradients(verified(cutForward(forward, part)), choice, options, verified);
  const summed = verified(addToSums(program, isDealt(choice, options)));
  const kinds: readonly SlotKind[] = splitBackward
    ? ['forward', 'backward-input', 'backward-weight']
    : ['forward', 'backward'];
  const split = (whole: Program): Program[] => {
    const programs = splitSlots(asGathered(asSums(whole), context), splitBackward, options.keeping ?? KEEP_LEAST);
    return monitored ? programs.with(0, monitorSlot(programs[0]!)) : programs;
  };
  const finished = (slot: Program): Program => schedule(verified(slot), options, verified);
  const programs = split(summed).map(finished);
  const slots: SlotPrograms = Object.fromEntries(kinds.map((kind, index) => [kind, programs[index]!]));
  if (!overlapGradients || (microbatches > 1 && !mostArePending(program))) return { slots, last: slots };
  const reduced = split(verified(reduceInLayers(summed, { ...reductionOf(choice, options), queued: true })));
  return { slots, last: { ...slots, [kinds.at(-1)!]: finished(reduced.at(-1)!) } };
}

const parameterNames = (slots: SlotPrograms): string[] =>
  Object.values(slots).flatMap(({ inputs }) =>
    inputs.flatMap((input) =>
      input.kind === 'sum' && input.name.startsWith('gradient:') ? [input.name.replace('gradient:', '')] : [],
    ),
  );

/**
 * @param forward one microbatch's forward pass, on the mesh of one stage (without `pipe`), with an output `loss`
 * @param shared with pipelines of an equal forward program and equal options, but for layers, placement and `splitBackward`
 * @throws MeshwrightError PLAN_INVALID where a pipeline cannot do what the plan asks for; PROGRAM_INVALID on a forward
 *   program without one repeat over the layers, or where layers and placement do not fit it
 */
export function lowerPipeline(
  forward: Program,
  pipeline: PipelineOptions,
  shared = new PipelineParts(),
): TrainingPipeline {
  const { layers, placement, splitBackward, ...options } = pipeline;
  const parts = partsOf(forward, { layers, placement });
  const context: StageContext = { forward, choice: shardsOf(forward, options), options, verified: verifier(options) };
  const chosenOf: (readonly number[] | undefined)[] = [];
  const virtual = parts.map(({ part, firstLayer }): VirtualStage => {
    const last = firstLayer + part.layers;
    const chosen = options.rematerializeLayers
      ?.filter((layer) => layer >= firstLayer && layer < last)
      .map((layer) => layer - firstLayer);
    const own = { ...options, ...(chosen === undefined ? {} : { rematerializeLayers: chosen }) };
    const sorted = chosen?.toSorted((a, b) => a - b);
    chosenOf.push(sorted);
    const lower = (): Slots => lowerSlots({ ...context, options: own }, part, splitBackward);
    return { part, firstLayer, ...shared.slots(part, splitBackward, sorted, lower) };
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

  const stages = placement.map((indices, stage) => {
    const chunks = indices.map((index) => virtual[index]!);
    const names = tied.filter((one) => one.stages.includes(stage)).map(({ name }) => name);
    const lists = chunks.map(({ slots, last }) => ({ slots: Object.values(slots), last: Object.values(last) }));
    // Of what two stages have the first one counts the gradient.
    const others = tied.filter(({ stages: [, second] }) => second === stage).map(({ name }) => name);
    const kinds = indices.map((index) => ({ ...virtual[index]!.part, chosen: chosenOf[index] }));
    const programs = shared.stage([kinds, splitBackward, names, others], () =>
      stagePrograms(context, lists, names, others),
    );
    return { ...programs, ...chunksOf(virtual, indices) };
  });
  return { virtual, stages, tied };
}
