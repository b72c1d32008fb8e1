/** Small pipelines on machines with round numbers. */
import { chunkCount, lowerJobPipeline, modelFlops, parsePlan, resolveTask, checkPlan } from '../../../src/job/index.js';
import type { Job } from '../../../src/job/index.js';
import type { DecoderConfig } from '../../../src/models/index.js';
import { tokensPerExample } from '../../../src/models/index.js';
import type { Stack } from '../../../src/hardware/index.js';
import type { TrainingPipeline } from '../../../src/program/index.js';
import { bytesPerSecond, flops, seconds } from '../../../src/units.js';
import type { PipelineExecution, PipelineResult } from '../../../sim/index.js';
import { createMachine, simulatePipeline } from '../../../sim/index.js';
import { SMALL_DECODER } from '../../helpers/models.js';
import { STACK, switchOf, withTopology } from '../helpers.js';

export const MODEL: DecoderConfig = {
  ...SMALL_DECODER,
  width: 256,
  depth: 8,
  headWidth: 32,
  mlpWidth: 1024,
  vocabulary: 512,
  sequence: 64,
};

export interface PipelineCase {
  readonly plan: string;
  readonly chips: number;
  readonly batch: number;
  readonly model?: DecoderConfig;
  /** Between nodes of two chips each; absent: all links take no time. */
  readonly networkBytesPerSecond?: number;
  /** Fields of the stack that are otherwise than usual in tests. */
  readonly stack?: Partial<Stack>;
  readonly change?: (pipeline: TrainingPipeline) => TrainingPipeline;
}

export interface Simulated {
  readonly result: PipelineResult;
  readonly execution: PipelineExecution;
  readonly job: Job;
}

const ENDLESS = bytesPerSecond(1e24);

function topologyOf(network: number | undefined) {
  if (network !== undefined) return switchOf(2, network);
  const topology = switchOf(2);
  const rate = { peak: ENDLESS, achievable: ENDLESS };
  return {
    ...topology,
    nodePerChipPerDirection: rate,
    nodeLatency: seconds(0),
    collectiveStart: seconds(0),
    network: { ...topology.network!, cardPerDirection: rate, latency: seconds(0) },
  };
}

export function simulated({
  plan,
  chips,
  batch,
  model = MODEL,
  change,
  stack = {},
  networkBytesPerSecond,
}: PipelineCase): Simulated {
  const hardware = withTopology(topologyOf(networkBytesPerSecond));
  const task = { ...resolveTask({ model: 'gpt2', hardware: 'tpu-v4', chips, batch }), model, hardware };
  const job = checkPlan(task, parsePlan(plan));
  const { schedule, microbatches, scheduleMemory, overlapTransfers } = job.plan;
  const pipeline = lowerJobPipeline(job);
  const found = simulatePipeline({
    pipeline: change === undefined ? pipeline : change(pipeline),
    machine: createMachine({ hardware, mesh: job.plan.mesh }),
    stack: { ...STACK, ...stack },
    schedule: {
      name: schedule,
      microbatches,
      chunks: chunkCount(job.plan),
      ...(scheduleMemory === 'usual' ? {} : { memory: scheduleMemory }),
      blocking: !overlapTransfers,
    },
    modelFlops: flops(modelFlops(model, batch)),
    tokensPerStep: batch * tokensPerExample(model),
  });
  return { ...found, job };
}

/** All stages and chunks as an inner one: neither embedding nor head. */
export function equalStages(pipeline: TrainingPipeline): TrainingPipeline {
  const { slots, last } = pipeline.virtual[1]!;
  const { start, finish } = pipeline.stages[1]!;
  return {
    virtual: pipeline.virtual.map((one) => ({ ...one, slots, last })),
    stages: pipeline.stages.map((one) => ({ ...one, start, finish })),
    tied: [],
  };
}
