/** One simulated step of a pipeline as a document. */
import type { Stack } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import { axisSize, formatMesh, stageMesh } from '../../src/mesh/index.js';
import type { TrainingPipeline, Role } from '../../src/program/index.js';
import { hostBytes } from '../../src/program/index.js';
import type { Slot } from '../../src/program/schedules/index.js';
import type { Bytes } from '../../src/units.js';
import { bytes } from '../../src/units.js';
import { toSeconds } from '../engine/index.js';
import type { Ticks } from '../engine/index.js';
import type { Machine } from '../machine/index.js';
import type { CollectiveChoice } from '../plan.js';
import { hostTicksPerStep } from '../plan.js';
import { createNetwork } from '../network/index.js';
import type { SimulationResult, StepInput } from '../simulate.js';
import { matmulDtype, stepDocument } from '../simulate.js';
import { pipelineLinkBytes } from './links.js';
import type { StageMemory } from './memory.js';
import { stageMemory } from './memory.js';
import { ProgramRuns } from './program-runs.js';
import type { StageUse } from './stage-use.js';
import { stageUse } from './stage-use.js';
import type { PipelineTimes, ScheduleWish } from './times.js';
import { pipelineTimes, shapeOf } from './times.js';
import { Transfers, sentBy } from './transfers.js';

export interface PipelineInput extends StepInput {
  readonly pipeline: TrainingPipeline;
  readonly schedule: ScheduleWish;
  readonly collectives?: CollectiveChoice;
}

export interface StageSummary {
  /** Model's layers, of all its chunks. */
  readonly layers: number;
  /** Its programs, what they expose of their collectives included. */
  readonly busySeconds: number;
  readonly bubbleSeconds: number;
  /** That it waits for what is on its way from another stage. */
  readonly exposedTransferSeconds: number;
  /** Of a microbatch, all chunks: forward, and all of backward. */
  readonly forwardSeconds: number;
  readonly backwardSeconds: number;
  /** Before its first slot and after its last: gathers, reductions, optimizer. */
  readonly startSeconds: number;
  readonly finishSeconds: number;
  readonly peakMemoryBytesPerChip: number;
  readonly memoryBytesByRole: Readonly<Record<Role, number>>;
  readonly peakMemorySlot: 'start' | 'finish' | Slot;
  readonly peakMemoryOpId: string;
  /** The most microbatches that it holds activations of, a chunk counted as its share of a stage. */
  readonly microbatchesHeld: number;
}

/** What a document has besides, of a pipeline. */
export interface PipelineSummary {
  readonly schedule: string;
  readonly stages: number;
  readonly virtualStages: number;
  readonly microbatches: number;
  /** Idle time of all stages over the time between steps, transfers that they wait for left out. */
  readonly bubbleFraction: number;
  /** From a step's beginning to its last update, where none comes before or after. */
  readonly stepAloneSeconds: number;
  /** The busiest stage, whose time the categories are; from 0. */
  readonly slowestStage: number;
  /** The stage that needs most memory. */
  readonly largestStage: number;
  /** Stages with a representative of their own: those with other programs. */
  readonly distinctStages: number;
  /** Bytes that a chip sends to its neighbours for a microbatch, and how long the longest transfer takes. */
  readonly transferBytes: number;
  readonly transferSeconds: number;
  readonly byStage: readonly StageSummary[];
}

export interface PipelineResult extends SimulationResult {
  readonly pipeline: PipelineSummary;
}

/** What is behind a document: a pipeline's counterpart to an execution. */
export interface PipelineExecution {
  readonly pipeline: TrainingPipeline;
  readonly runs: ProgramRuns;
  readonly transfers: Transfers;
  readonly times: PipelineTimes;
  readonly stages: readonly StageUse[];
  readonly memory: readonly StageMemory[];
  readonly linkBytes: Float64Array;
  readonly host: Ticks;
}

function checkMachine({ hardware, mesh, chipSlowdown }: Machine, pipeline: TrainingPipeline): void {
  const [program] = Object.values(pipeline.virtual[0]!.slots);
  const expected = formatMesh(stageMesh(mesh));
  if (formatMesh(program!.mesh) !== expected || pipeline.stages.length !== axisSize(mesh, 'pipe')) {
    const got = `${pipeline.stages.length} stages of ${formatMesh(program!.mesh)}`;
    throw new MeshwrightError('INTERNAL', { place: "the pipeline's mesh", expected: formatMesh(mesh), got });
  }
  if (chipSlowdown.size === 0) return;
  throw new MeshwrightError('PLAN_INVALID', {
    place: 'fault',
    expected: `no slow chip of ${hardware.name} with a pipeline, of which one chip a stage is simulated`,
    got: [...chipSlowdown].map(([chip, slowdown]) => `chip=${chip}:${slowdown}`).join(' '),
    hint: 'make links slow, or take a plan without pipe',
  });
}

function executePipeline({
  pipeline,
  schedule,
  machine,
  stack,
  collectives,
}: Omit<PipelineInput, 'modelFlops' | 'tokensPerStep'>): PipelineExecution {
  checkMachine(machine, pipeline);
  const shape = shapeOf(pipeline, schedule);
  const forwards = pipeline.virtual.flatMap(({ slots, last }) => [slots.forward!, last.forward!]);
  const runs = new ProgramRuns(machine, stack, collectives ?? {}, new Set(forwards));
  const network = createNetwork(machine, offeredBy(stack));
  const transfers = new Transfers(network, machine, sentBy(pipeline), shape, stack.stageTransfers === 'scattered');
  const host = hostTicksPerStep(stack, machine.chips);
  const blocking = schedule.blocking === true || !stack.asynchronous.includes('permute');
  const times = pipelineTimes(runs, pipeline, transfers, schedule, {
    host,
    blocking,
    blocked: stack.exchanges === 'one-by-one' ? 'both' : 'sender',
  });
  const indices = pipeline.stages.map((_, stage) => stage);
  const stages = indices.map((stage) => stageUse(runs, pipeline, transfers, times, stage, host));
  const memory = indices.map((stage) => stageMemory({ runs, pipeline, transfers, times }, stage));
  const linkBytes = pipelineLinkBytes(machine, pipeline, transfers, shape, schedule.microbatches, stages);
  return { pipeline, runs, transfers, times, stages, memory, linkBytes, host };
}

const offeredBy = ({ collectives }: Stack) => (collectives === undefined ? {} : { offered: collectives });

const indexOfMost = (values: readonly number[]): number => values.indexOf(Math.max(...values));

function stageSummary({ pipeline, times, stages, memory }: PipelineExecution, stage: number): StageSummary {
  const { uses, bubble, exposure } = stages[stage]!;
  const { peakBytes, byRole, at, peakOpId, microbatchesHeld } = memory[stage]!;
  const { schedule, period, finishes, timeline, begins } = times;
  const exposedTransfers = exposure.exposedByAxis.pipe ?? 0;
  const perMicrobatch = (isForward: boolean): number => {
    const usual = uses.filter(
      ({ part, count }) => part !== 'start' && part !== 'finish' && count * 2 >= schedule.microbatches,
    );
    return usual
      .filter(({ part }) => (part === 'forward') === isForward)
      .reduce((sum, { take }) => sum + take.duration, 0);
  };
  const finish = finishes[stage]!;
  const seconds = (value: number): number => toSeconds(value as Ticks);
  return {
    layers: pipeline.stages[stage]!.layers.length,
    busySeconds: seconds(period - bubble - exposedTransfers),
    bubbleSeconds: seconds(bubble),
    exposedTransferSeconds: seconds(exposedTransfers),
    forwardSeconds: seconds(perMicrobatch(true)),
    backwardSeconds: seconds(perMicrobatch(false)),
    startSeconds: seconds(begins[stage]!),
    finishSeconds: seconds(finish.end - timeline.stages[stage]!.end),
    peakMemoryBytesPerChip: peakBytes,
    memoryBytesByRole: byRole,
    peakMemorySlot: typeof at === 'number' ? schedule.slots[stage]![at]! : at,
    peakMemoryOpId: peakOpId,
    microbatchesHeld: microbatchesHeld / schedule.chunks,
  };
}

function summaryOf(execution: PipelineExecution): PipelineSummary {
  const { pipeline, transfers, times, stages, memory } = execution;
  const { schedule, period, alone } = times;
  const idle = stages.reduce((sum, { bubble }) => sum + bubble, 0);
  const neighbours = pipeline.virtual.slice(1).flatMap((_, from) => {
    const here = pipeline.stages.findIndex(({ chunks }) => chunks.some(({ virtual }) => virtual === from));
    const stays = pipeline.stages[here]!.chunks.some(({ virtual }) => virtual === from + 1);
    return stays ? [] : [transfers.between(from, from + 1), transfers.between(from + 1, from)];
  });
  return {
    schedule: schedule.name,
    stages: schedule.stages,
    virtualStages: schedule.chunks,
    microbatches: schedule.microbatches,
    bubbleFraction: idle / (period * schedule.stages),
    stepAloneSeconds: toSeconds(alone),
    slowestStage: indexOfMost(stages.map(({ bubble }) => -bubble)),
    largestStage: indexOfMost(memory.map(({ peakBytes }) => peakBytes)),
    distinctStages: new Set(
      pipeline.stages.map(({ chunks, finish }) =>
        JSON.stringify([
          chunks.map(({ virtual }) =>
            pipeline.virtual.findIndex(({ slots }) => slots === pipeline.virtual[virtual]!.slots),
          ),
          finish.length,
        ]),
      ),
    ).size,
    transferBytes: Math.max(...neighbours.map(({ bytes }) => bytes)),
    transferSeconds: toSeconds(Math.max(...neighbours.map(({ duration }) => duration)) as Ticks),
    byStage: stages.map((_, stage) => stageSummary(execution, stage)),
  };
}

/** Of a chip of the stage that keeps most in its host's memory. */
export const pipelineHostBytes = ({ stages }: TrainingPipeline): Bytes =>
  bytes(Math.max(...stages.map(({ finish }) => finish.reduce((total, program) => total + hostBytes(program), 0))));

/**
 * Simulates one training step of a pipeline: by how much steps follow each other, and what the busiest stage does
 * meanwhile.
 *
 * @throws MeshwrightError DTYPE_UNSUPPORTED, PLAN_INVALID of an algorithm or a fault that it can't have, PLAN_DOES_NOT_FIT
 *   of a schedule's limit that no microbatch fits
 */
export function simulatePipeline(input: PipelineInput): { result: PipelineResult; execution: PipelineExecution } {
  const { machine } = input;
  const execution = executePipeline(input);
  const { pipeline, runs, times, stages, memory, linkBytes } = execution;
  const summary = summaryOf(execution);
  const slowest = stages[summary.slowestStage]!;
  const largest = memory[summary.largestStage]!;
  const programs = pipeline.virtual.flatMap(({ slots }) => Object.values(slots));
  const document = stepDocument(input, {
    dtype: matmulDtype([...new Set(programs)], machine.hardware.defaultDtype),
    folded: runs.all.every(({ even }) => even),
    unfolded: null,
    duration: times.period,
    byCategory: slowest.byCategory,
    extra: { bubble: slowest.bubble },
    exposure: slowest.exposure,
    matmulFlops: stages.reduce((sum, one) => sum + one.matmulFlops, 0) / stages.length,
    memory: largest,
    hostBytes: pipelineHostBytes(pipeline),
    linkBytes,
  });
  return { result: { ...document, pipeline: summary }, execution };
}
