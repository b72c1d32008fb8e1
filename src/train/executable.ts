/**
 * A job's programs on its ranks: one program that all of them run, or the slots of a pipeline's stages. What either does
 * with a batch is the same.
 */
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import { isPipeline, lowerEvaluation, lowerJob, lowerJobPipeline, lowerPipelineEvaluation } from '../job/index.js';
import { coordinate } from '../mesh/index.js';
import type { Mesh } from '../mesh/index.js';
import { forwardSchedule } from '../program/index.js';
import type { Pipeline, Program } from '../program/index.js';
import type { Schedule } from '../program/schedules/index.js';
import type { DevicePool, HostTensor, PoolRun } from '../runtime/index.js';
import { assembleGlobal, numbersOf } from '../runtime/index.js';
import type { StateTensor } from './checkpoint/index.js';
import { pipelineState, programState } from './checkpoint/index.js';
import type { Batch } from './feeds.js';
import { rankFeeds, stageFeeds } from './feeds.js';
import type { HeldOut, RunForward } from './source.js';

export interface ExecutedStep {
  /** The mean over the whole batch. */
  readonly loss: number;
  /** Where the loss is scaled: what it is by after the step. */
  readonly lossScale?: number;
  readonly spans: PoolRun['spans'];
}

export interface Executable {
  /** What the ranks hold from step to step. */
  readonly state: readonly StateTensor[];
  /** @param scalars `learning-rate` and `step` */
  step(batch: Batch, scalars: Readonly<Record<string, number>>): Promise<ExecutedStep>;
  /** @returns the forward pass alone as a function of a batch of `examples` */
  forward(output: HeldOut['output'], examples: number): Promise<RunForward>;
}

const STEP = 'step';
const EVALUATION = 'evaluation';
const LOSS = 'loss';
const LOSS_SCALE = 'counter:loss-scale';

/** An output that is the same on all ranks which have it. */
function scalarOf(outputs: PoolRun['outputs'], name: string): number {
  const held = outputs.find((one) => one[name] !== undefined)?.[name];
  if (held === undefined) throw new MeshwrightError('INTERNAL', { place: name, expected: 'an output', got: 'none' });
  return numbersOf(held as HostTensor)[0]!;
}

/** An output of `program` put together from the ranks that have it, which are all of its mesh. */
function wholeOf({ outputs, values, mesh }: Program, name: string, run: PoolRun): ReturnType<typeof numbersOf> {
  const { type } = values[outputs.find((output) => output.name === name)!.value]!;
  const shards = run.outputs.flatMap((one) => (one[name] === undefined ? [] : [one[name] as HostTensor]));
  return numbersOf(assembleGlobal(mesh, shards, type));
}

async function loadProgram(pool: DevicePool, job: Job): Promise<Executable> {
  const program = lowerJob(job);
  await pool.load(STEP, program);
  const isScaled = program.outputs.some(({ name }) => name === LOSS_SCALE);
  return {
    state: programState(program),
    async step(batch, scalars) {
      const { outputs, spans } = await pool.run(STEP, {
        feeds: (rank) => rankFeeds(program, rank, batch, scalars),
        outputs: [LOSS, ...(isScaled ? [LOSS_SCALE] : [])],
      });
      const loss = scalarOf(outputs, LOSS);
      return { loss, ...(isScaled ? { lossScale: scalarOf(outputs, LOSS_SCALE) } : {}), spans };
    },
    async forward(output, examples) {
      const evaluation = lowerEvaluation(job, examples, output);
      await pool.load(EVALUATION, evaluation);
      return async (batch) => {
        const feeds = (rank: number) => rankFeeds(evaluation, rank, batch, {});
        return wholeOf(evaluation, output, await pool.run(EVALUATION, { feeds, outputs: [output] }));
      };
    },
  };
}

/** What each rank of a mesh with stages is fed. */
const feedsOf =
  (pipeline: Pipeline, mesh: Mesh, microbatches: number) =>
  (batch: Batch, scalars: Readonly<Record<string, number>>) =>
  (rank: number) =>
    stageFeeds(pipeline, coordinate(mesh, rank, 'pipe'), rank, microbatches, batch, scalars);

async function loadPipeline(pool: DevicePool, job: Job, schedule: Schedule): Promise<Executable> {
  const { mesh, microbatches } = job.plan;
  const pipeline = lowerJobPipeline(job);
  await pool.loadPipeline(STEP, pipeline, schedule);
  const isScaled = job.precision.compute === 'f16';
  const stepFeeds = feedsOf(pipeline, mesh, microbatches);
  return {
    state: pipelineState(pipeline, mesh),
    async step(batch, scalars) {
      const wanted = [LOSS, ...(isScaled ? [LOSS_SCALE] : [])];
      const { outputs, spans } = await pool.run(STEP, { feeds: stepFeeds(batch, scalars), outputs: wanted });
      const loss = scalarOf(outputs, LOSS);
      return { loss, ...(isScaled ? { lossScale: scalarOf(outputs, LOSS_SCALE) } : {}), spans };
    },
    async forward(output, examples) {
      const evaluation = lowerPipelineEvaluation(job, examples, output);
      await pool.loadPipeline(EVALUATION, evaluation, forwardSchedule(schedule));
      const feeds = feedsOf(evaluation, mesh, 1);
      const last = evaluation.virtual.at(-1)!.slots.forward!;
      return async (batch) => {
        const run = await pool.run(EVALUATION, { feeds: feeds(batch, {}), outputs: [output] });
        return wholeOf(last, output, run);
      };
    },
  };
}

/**
 * Compiles a job's step on all ranks.
 *
 * @param schedule of a pipeline, the one that its stages are to follow
 * @throws MeshwrightError as `DevicePool.load`; INTERNAL of a pipeline without a schedule
 */
export function loadJob(pool: DevicePool, job: Job, schedule: Schedule | undefined): Promise<Executable> {
  if (!isPipeline(job.plan)) return loadProgram(pool, job);
  if (schedule === undefined)
    throw new MeshwrightError('INTERNAL', { place: 'loadJob', expected: "the pipeline's schedule", got: 'none' });
  return loadPipeline(pool, job, schedule);
}
