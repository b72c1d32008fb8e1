/** Runs a job's step on real devices and gives whole tensors back, so that plans can be compared. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadHardware } from '../../src/hardware/index.js';
import type { Hardware } from '../../src/hardware/index.js';
import type { Job, Task } from '../../src/job/index.js';
import {
  checkPlan,
  chunkCount,
  isPipeline,
  lowerJob,
  lowerJobPipeline,
  parsePlan,
  stageCount,
} from '../../src/job/index.js';
import { axisSize, coordinate, rankCount } from '../../src/mesh/index.js';
import type { AxisName } from '../../src/mesh/index.js';
import type { ModelConfig } from '../../src/models/index.js';
import type { FloatType, LowerOptions, Program, ProgramOutput, TrainingPipeline } from '../../src/program/index.js';
import { collectiveBytes, forEachOp, isCollective, typeBytes } from '../../src/program/index.js';
import type { Schedule } from '../../src/program/schedules/index.js';
import { createSchedule, placeOf } from '../../src/program/schedules/index.js';
import type { FamilyName, HostTensor, StateValue } from '../../src/runtime/index.js';
import { packageRoot } from '../../src/package-root.js';
import { DevicePool } from '../../src/runtime/index.js';
import type { Batch } from '../../src/train/index.js';
import { rankFeeds, stageFeeds } from '../../src/train/index.js';
import { batchOf, wholeTensors } from './case.js';

export interface AgreementJob {
  readonly model: ModelConfig;
  /** In the short form. */
  readonly plan: string;
  readonly batch: number;
  readonly family: FamilyName;
  readonly steps: number;
  readonly learningRate: number;
}

export interface AgreementRun {
  /** Whole tensors by name: `loss`, `gradient:NAME/LAYER` of the last step, `parameter:NAME/LAYER` after it. */
  readonly tensors: ReadonlyMap<string, HostTensor>;
  /** Counted in the transport, over all ranks and steps. */
  readonly sentBytes: number;
  /** What the program says. */
  readonly countedBytes: number;
}

const workerUrl = pathToFileURL(join(packageRoot(), 'dist/src/cli/rank-worker.js'));

/** The devices of this machine, with every type; its rates are of no account here. */
function hardwareOf(computeType: FloatType): Hardware {
  const local = loadHardware('local');
  const rate = local.chip.matmul[local.defaultDtype]!;
  const matmul = { f64: rate, f32: rate, bf16: rate, f16: rate };
  return { ...local, defaultDtype: computeType, chip: { ...local.chip, matmul } };
}

export function agreementJob(
  { model, plan, batch, family, learningRate }: AgreementJob,
  optimizer: LowerOptions['optimizer'],
): Job {
  const parsed = parsePlan(plan, 'plan');
  const task: Task = {
    model,
    modelInput: model.name,
    hardware: hardwareOf(family === 'reference' ? 'f64' : 'f32'),
    hardwareName: 'local',
    chips: rankCount(parsed.mesh),
    batch,
    optimizer,
    training: {
      epochs: 1,
      seed: 3,
      family,
      threadsPerRank: 1,
      loaderWorkers: 1,
      monitor: 0,
      learningRate,
      warmupSteps: 0,
      cooldownSteps: 0,
      checkpoint: { keep: 0 },
    },
  };
  return checkPlan(task, parsed);
}

/** What all ranks of its mesh send in a run of a program, by the collectives' closed forms. */
function bytesOf(program: Program): number {
  let total = 0;
  forEachOp(program.ops, (op, times) => {
    if (!isCollective(op.name)) return;
    const { axis } = op.attributes as { axis: AxisName };
    const types = op.operands.map((id) => program.values[id]!.type);
    total += times * collectiveBytes(op.name, types, axisSize(program.mesh, axis));
  });
  return total * rankCount(program.mesh);
}

/** What all ranks of a stage send to another by a program's outputs. */
const sentByOutputs = ({ outputs, values, mesh }: Program): number =>
  outputs.reduce((sum, { name, value }) => sum + (name.startsWith('send:') ? typeBytes(values[value]!.type) : 0), 0) *
  rankCount(mesh);

/** The same of a step of a pipeline: within stages, and between them. */
function pipelineBytes({ virtual, stages }: TrainingPipeline, schedule: Schedule): number {
  let total = 0;
  stages.forEach(({ start, finish, chunks }, stage) => {
    for (const program of [start, ...finish]) total += bytesOf(program) + sentByOutputs(program);
    for (const { kind, chunk, microbatch } of schedule.slots[stage]!) {
      const at = chunks[chunk]!.virtual;
      const { slots, last } = virtual[at]!;
      const program = (microbatch === schedule.microbatches - 1 ? last : slots)[kind]!;
      const to = kind === 'forward' ? at + 1 : at - 1;
      const isElsewhere = to >= 0 && to < virtual.length && placeOf(schedule, to).stage !== stage;
      total += bytesOf(program) + (isElsewhere ? sentByOutputs(program) : 0);
    }
  });
  // What is added up over all stages, in a ring over `pipe`.
  const check = stages[0]!.finish.at(-2);
  for (const { name, value } of check?.outputs ?? [])
    if (name.startsWith('agree:'))
      total += 2 * (stages.length - 1) * typeBytes(check!.values[value]!.type) * rankCount(check!.mesh);
  return total;
}

/** A program of which outputs and parameters are read, the ranks that have them, and the layers they are of. */
interface Holder {
  readonly program: Program;
  readonly stage: number;
  readonly layers?: readonly number[];
}

interface Loaded {
  readonly holders: readonly Holder[];
  readonly countedBytes: number;
  feeds(rank: number, data: Batch, scalars: Readonly<Record<string, number>>): ReturnType<typeof rankFeeds>;
}

async function load(pool: DevicePool, name: string, job: Job): Promise<Loaded> {
  const { mesh, microbatches } = job.plan;
  if (!isPipeline(job.plan)) {
    const program = lowerJob(job, { keepGradients: true });
    await pool.load(name, program);
    const feeds: Loaded['feeds'] = (rank, data, scalars) => rankFeeds(program, rank, data, scalars);
    return { holders: [{ program, stage: 0 }], countedBytes: bytesOf(program), feeds };
  }
  const pipeline = lowerJobPipeline(job, { keepGradients: true });
  // Results hang on no order, so any times will do.
  const times = { slot: () => 1, transfer: () => 0 };
  const chunks = chunkCount(job.plan);
  const schedule = createSchedule(job.plan.schedule, {
    stages: stageCount(job.plan),
    microbatches,
    chunks,
    times,
    blocking: !job.plan.overlapTransfers,
  });
  await pool.loadPipeline(name, pipeline, schedule);
  return {
    holders: pipeline.stages.map(({ finish, layers }, stage) => ({ program: finish.at(-1)!, stage, layers })),
    countedBytes: pipelineBytes(pipeline, schedule),
    feeds: (rank, data, scalars) =>
      stageFeeds(pipeline, coordinate(mesh, rank, 'pipe'), rank, microbatches, data, scalars),
  };
}

/** Whole tensors under the names that they have where nothing is cut. */
function tensorsOf({ program, layers }: Holder, output: ProgramOutput, byRank: readonly StateValue[]) {
  const isStack = program.values[output.value]!.type.stack !== undefined;
  return wholeTensors(program, output.name, output.value, byRank).map(([key, tensor]): [string, HostTensor] => {
    if (layers === undefined || !isStack) return [key, tensor];
    const slash = key.lastIndexOf('/');
    return [`${key.slice(0, slash)}/${layers[Number(key.slice(slash + 1))]!}`, tensor];
  });
}

/** Runs the job once with each optimizer, on the same devices. */
export async function runJob<Name extends string>(
  example: AgreementJob,
  optimizers: Readonly<Record<Name, LowerOptions['optimizer']>>,
): Promise<Record<Name, AgreementRun>> {
  const { model, batch, family, steps, learningRate } = example;
  const { mesh } = parsePlan(example.plan, 'plan');
  const pool = await DevicePool.create({ mesh, family, threadsPerRank: 1, workerUrl });
  const runs: Partial<Record<Name, AgreementRun>> = {};
  try {
    for (const name of Object.keys(optimizers) as Name[]) {
      const job = agreementJob(example, optimizers[name]);
      const { holders, countedBytes, feeds } = await load(pool, name, job);
      await pool.initialize(3);
      const sentBefore = sent(pool);
      const isRead = (output: ProgramOutput): boolean => /^(loss$|gradient:)/.test(output.name);
      const outputs = [
        ...new Set(holders.flatMap(({ program }) => program.outputs.filter(isRead).map((one) => one.name))),
      ];
      const tensors = new Map<string, HostTensor>();
      for (let step = 1; step <= steps; step++) {
        const data = batchOf(model, batch, step);
        const scalars = { 'learning-rate': learningRate, step };
        const run = await pool.run(name, { feeds: (rank) => feeds(rank, data, scalars), outputs });
        for (const holder of holders) {
          const own = run.outputs.filter((_, rank) => coordinate(mesh, rank, 'pipe') === holder.stage);
          for (const output of holder.program.outputs.filter(isRead)) {
            const byRank = own.map((one) => one[output.name]!);
            for (const [key, tensor] of tensorsOf(holder, output, byRank)) tensors.set(key, tensor);
          }
        }
      }
      const sentBytes = sent(pool) - sentBefore;
      for (const holder of holders) {
        for (const output of holder.program.outputs) {
          if (!output.name.startsWith('parameter:')) continue;
          const byRank = await pool.readState(output.name, holder.stage);
          for (const [key, tensor] of tensorsOf(holder, output, byRank)) tensors.set(key, tensor);
        }
      }
      runs[name] = { tensors, sentBytes, countedBytes: countedBytes * steps };
    }
    return runs as Record<Name, AgreementRun>;
  } finally {
    await pool.close();
  }
}

const sent = (pool: DevicePool): number => pool.bytesSent().reduce((total, one) => total + one.sent, 0);
