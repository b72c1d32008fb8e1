/**
 * A job's programs on its ranks: one program that all of them run, or the slots of a pipeline's stages. What either does
 * with a batch is the same.
 */
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import { isPipeline, lowerEvaluation, lowerJob, lowerJobPipeline, lowerPipelineEvaluation } from '../job/index.js';
import { coordinate } from '../mesh/index.js';
import type { Mesh } from '../mesh/index.js';
import { forwardSchedule, isMonitor } from '../program/index.js';
import type { Pipeline, Program } from '../program/index.js';
import type { Schedule } from '../program/schedules/index.js';
import type { DevicePool, HostTensor, Inspection, NonFinite, PoolRun } from '../runtime/index.js';
import { assembleGlobal, numbersOf } from '../runtime/index.js';
import type { StateTensor } from './checkpoint/index.js';
import { pipelineState, programState } from './checkpoint/index.js';
import type { Batch } from './feeds.js';
import { rankFeeds, stageFeeds } from './feeds.js';
import type { Monitored } from './monitored.js';
import { monitoredOf, monitorOutputs, pipelineMonitorOutputs } from './monitored.js';
import type { HeldOut, RunForward } from './source.js';

export interface ExecutedStep {
  /** The mean over the whole batch. */
  readonly loss: number;
  /** Where the loss is scaled: what it is by after the step. */
  readonly lossScale?: number;
  /** Of a step that was looked at. */
  readonly monitored?: Monitored;
  readonly spans: PoolRun['spans'];
  /** Of a step that was inspected: what was not finite first. */
  readonly nonFinite?: NonFinite | undefined;
}

export interface Executable {
  /** What the ranks hold from step to step. */
  readonly state: readonly StateTensor[];
  /**
   * @param scalars `learning-rate` and `step`
   * @param isMonitored whether it is looked at, see `Monitored`; never where the job does not ask for it
   * @param inspection looks for numbers that are not finite; the step is slower then
   */
  step(
    batch: Batch,
    scalars: Readonly<Record<string, number>>,
    isMonitored: boolean,
    inspection?: Inspection,
  ): Promise<ExecutedStep>;
  /** @returns the forward pass alone as a function of a batch of `examples` */
  forward(output: HeldOut['output'], examples: number): Promise<RunForward>;
}

const STEP = 'step';
const MONITORED_STEP = 'monitored step';
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

/** The programs of a step, and those of one that is looked at: what is the same in both is compiled once. */
const VERSIONS = [
  { name: STEP, monitored: false },
  { name: MONITORED_STEP, monitored: true },
] as const;

/** Which of them a job runs. */
const versionsOf = ({ training: { monitor } }: Job) =>
  VERSIONS.filter(({ monitored }) => (monitored ? monitor > 0 : monitor !== 1));

const versionName = (isMonitored: boolean): string => (isMonitored ? MONITORED_STEP : STEP);

/** @param wanted outputs that a step is run with besides the loss */
function executed({ outputs, spans, nonFinite }: PoolRun, isScaled: boolean, wanted: readonly string[]): ExecutedStep {
  const own = () => spans.map((list) => list.filter((span) => !isMonitor(span)));
  return {
    loss: scalarOf(outputs, LOSS),
    nonFinite,
    ...(isScaled ? { lossScale: scalarOf(outputs, LOSS_SCALE) } : {}),
    ...(wanted.length === 0 ? { spans } : { spans: own(), monitored: monitoredOf(outputs) }),
  };
}

async function loadProgram(pool: DevicePool, job: Job): Promise<Executable> {
  let looked: readonly string[] = [];
  const program = lowerJob(job);
  for (const { name, monitored } of versionsOf(job)) {
    const version = monitored ? lowerJob(job, { monitored }) : program;
    await pool.load(name, version);
    looked = monitorOutputs(version);
  }
  const isScaled = program.outputs.some(({ name }) => name === LOSS_SCALE);
  return {
    state: programState(program),
    async step(batch, scalars, isMonitored, inspection) {
      const wanted = isMonitored ? looked : [];
      const run = await pool.run(versionName(isMonitored), {
        feeds: (rank) => rankFeeds(program, rank, batch, scalars),
        outputs: [LOSS, ...(isScaled ? [LOSS_SCALE] : []), ...wanted],
        inspection,
      });
      return executed(run, isScaled, wanted);
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
  let looked: readonly string[] = [];
  for (const { name, monitored } of versionsOf(job)) {
    const version = monitored ? lowerJobPipeline(job, { monitored }) : pipeline;
    await pool.loadPipeline(name, version, schedule);
    looked = pipelineMonitorOutputs(version);
  }
  const isScaled = job.precision.compute === 'f16';
  const stepFeeds = feedsOf(pipeline, mesh, microbatches);
  return {
    state: pipelineState(pipeline, mesh),
    async step(batch, scalars, isMonitored, inspection) {
      const wanted = isMonitored ? looked : [];
      const outputs = [LOSS, ...(isScaled ? [LOSS_SCALE] : []), ...wanted];
      const run = await pool.run(versionName(isMonitored), { feeds: stepFeeds(batch, scalars), outputs, inspection });
      return executed(run, isScaled, wanted);
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
