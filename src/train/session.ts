/**
 * A job at work on this machine: its ranks, its data and where it is in them. Several sessions may be open at once
 * and take turns; one that is not asked to advance uses no core.
 */
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import { modelFlops } from '../job/index.js';
import { tokensPerExample } from '../models/index.js';
import type { Schedule } from '../program/schedules/index.js';
import type { Inspection } from '../runtime/index.js';
import { DevicePool } from '../runtime/index.js';
import type { MeasuredStep } from '../trace/index.js';
import { exposedCommunication } from '../trace/index.js';
import { seconds } from '../units.js';
import type { SkippedImage } from './data/loader.js';
import type { Evaluation } from './evaluation.js';
import type { SavedCheckpoint, StepMetrics, TrainEvent } from './events.js';
import { Checkpointer } from './checkpointer.js';
import type { Executable, ExecutedStep } from './executable.js';
import { loadJob } from './executable.js';
import { openJobData } from './job-data.js';
import { continueMetrics, MetricsFile } from './metrics-file.js';
import type { Monitored } from './monitored.js';
import type { Course } from './replay.js';
import { explained, findNonFinite } from './replay.js';
import { learningRateAt } from './schedule.js';
import type { Start } from './start.js';
import { StepsCounter } from './steps-made.js';
import { beginning, restoreFrom, startFrom, stepsOf } from './start.js';
import type { TrainingBatch, TrainingData, TrainingSource } from './source.js';

export interface WorkerUrls {
  readonly rank: URL;
  readonly image: URL;
}

export interface SessionOptions {
  readonly job: Job;
  readonly workerUrls: WorkerUrls;
  /** See `PoolOptions`. */
  readonly diaryFile?: number | undefined;
  /**
   * Of a pipeline: what its stages follow. The one that was simulated, since some orders hang on how long slots are
   * expected to take.
   */
  readonly schedule?: Schedule;
  /** Where `metrics.jsonl` gets a line a step, and `checkpoints/` what the job asks for; nowhere unless given. */
  readonly runFolder?: string;
  /** The checkpoint to go on from: in its own run folder, whose metrics of later steps are dropped, or in another. */
  readonly resume?: string;
}

/** The first and the last step, and every so many between them. */
const isLookedAt = (step: number, steps: number, every: number): boolean =>
  every > 0 && ((step - 1) % every === 0 || step === steps);

/** JSON has no infinite numbers. */
const finiteOnly = ({ gradientNorm, largestAttentionLogit }: Monitored) => ({
  gradientNorm: Number.isFinite(gradientNorm) ? gradientNorm : null,
  largestAttentionLogit: Number.isFinite(largestAttentionLogit) ? largestAttentionLogit : null,
});

type Emit = (event: TrainEvent) => void;

export class Session {
  /** Of the whole run; the learning-rate schedule ends with the last. */
  readonly steps: number;
  /** See `TrainingSource`. */
  readonly coldBatches: number;
  /** Of the steps of this session, which may have begun at a checkpoint. */
  readonly made = new StepsCounter();
  readonly skipped: SkippedImage[] = [];
  readonly #options: SessionOptions;
  readonly #emit: Emit;
  readonly #source: TrainingSource;
  readonly #executable: Executable;
  readonly #pool: DevicePool;
  readonly #modelFlops: number;
  readonly #data: TrainingData;
  readonly #start: Start;
  readonly #metricsFile: MetricsFile | undefined;
  readonly #checkpointer: Checkpointer;

  private constructor(
    options: SessionOptions,
    emit: Emit,
    data: TrainingData,
    executable: Executable,
    pool: DevicePool,
    start: Start,
  ) {
    const { job, workerUrls, runFolder } = options;
    this.#data = data;
    this.#start = start;
    this.#metricsFile = runFolder === undefined ? undefined : new MetricsFile(runFolder);
    this.#options = options;
    this.#emit = emit;
    this.#executable = executable;
    this.#pool = pool;
    const onSkipped = (image: SkippedImage): void => {
      this.skipped.push(image);
      emit({ kind: 'skipped', image });
    };
    this.#source = data.start({ imageWorker: workerUrls.image, onSkipped, startBatch: start.step });
    this.#modelFlops = modelFlops(job.model, job.batch);
    this.coldBatches = this.#source.coldBatches;
    this.steps = stepsOf(job, data);
    this.#checkpointer = new Checkpointer({ job, runFolder, data, pool, state: executable.state, start });
  }

  /** How many steps the run has behind it, those before its checkpoint included. */
  get step(): number {
    return this.#start.step + this.made.count;
  }

  /** The newest checkpoint of this session. */
  get saved(): SavedCheckpoint | undefined {
    return this.#checkpointer.saved;
  }

  /**
   * Starts the ranks, with the job's program compiled and its initial parameters or those of a checkpoint.
   *
   * @throws MeshwrightError of wrong data, of a job that does not fit it or its checkpoint, CHECKPOINT_INVALID,
   *   DEVICE_FAILED, DTYPE_UNSUPPORTED
   */
  static async open(options: SessionOptions, emit: Emit): Promise<Session> {
    const { job, schedule, workerUrls, diaryFile, resume, runFolder } = options;
    const { plan, training } = job;
    emit({ kind: 'phase', text: 'reading the data to train on' });
    const data = await openJobData(job);
    emit({ kind: 'phase', text: 'compiling the step on all ranks' });
    const pool = await DevicePool.create({
      mesh: plan.mesh,
      family: training.family,
      threadsPerRank: training.threadsPerRank,
      workerUrl: workerUrls.rank,
      diaryFile,
    });
    try {
      const executable = await loadJob(pool, job, schedule);
      await pool.initialize(training.seed);
      const start =
        resume === undefined ? beginning() : await startFrom(resume, runFolder, job, data, pool, executable.state);
      if (resume !== undefined && runFolder !== undefined) continueMetrics(resume, runFolder, start.step);
      return new Session(options, emit, data, executable, pool, start);
    } catch (error) {
      await pool.close();
      throw error;
    }
  }

  /**
   * Trains up to `count` more steps, with the checkpoints that fall due meanwhile.
   *
   * @param signal ends it after the step in flight
   * @throws MeshwrightError RANK_FAILED, LOSS_NOT_FINITE, WRITE_FAILED, and as `checkpoint`
   */
  async advance(count: number, signal: AbortSignal): Promise<MeasuredStep[]> {
    const measured: MeasuredStep[] = [];
    while (measured.length < count && !signal.aborted) {
      const asked = performance.now();
      const batch = await this.#source.next();
      measured.push(await this.#step(batch, (performance.now() - asked) / 1e3));
      if (this.#checkpointer.isDue(this.step)) await this.checkpoint();
    }
    return measured;
  }

  /**
   * Writes down where the run is, for `SessionOptions.resume`; what training goes on from stays as it is. Nothing where
   * the session has no folder or its job keeps no checkpoints; the newest where no step was made since.
   *
   * @throws MeshwrightError WRITE_FAILED, LOSS_NOT_FINITE of parameters that nothing can go on from, RANK_FAILED
   */
  async checkpoint(): Promise<SavedCheckpoint | undefined> {
    const before = this.saved;
    this.#metricsFile?.sync();
    const saved = await this.#checkpointer.save(this.step);
    if (saved !== undefined && saved !== before) this.#emit({ kind: 'checkpoint', checkpoint: saved });
    return saved;
  }

  #learningRate(step: number): number {
    const { learningRate: peak, warmupSteps, cooldownSteps } = this.#options.job.training;
    return learningRateAt(step, { peak, steps: this.steps, warmupSteps, cooldownSteps });
  }

  /** A step from the state that the ranks hold. */
  #run(step: number, batch: TrainingBatch, inspection?: Inspection): Promise<ExecutedStep> {
    const scalars = { 'learning-rate': this.#learningRate(step), step: step - this.#start.skippedUpdates };
    const isMonitored = isLookedAt(step, this.steps, this.#options.job.training.monitor);
    return this.#executable.step(batch.data, scalars, isMonitored, inspection);
  }

  /**
   * Where a number that is not finite came from. It makes the steps since the newest checkpoint again, which ends what
   * the session holds: it can only be closed then.
   *
   * @param error LOSS_NOT_FINITE, of `advance` or `checkpoint`
   * @param signal gives up
   * @returns the error, naming the first op that gave such a number where one was found
   */
  async explain(error: MeshwrightError, signal: AbortSignal): Promise<MeshwrightError> {
    const { job, resume, workerUrls } = this.#options;
    const { path = resume, step: before = this.#start.step } = this.saved ?? {};
    const [first, last] = [before + 1, Math.min(this.step + 1, this.steps)];
    this.#emit({ kind: 'phase', text: `not finite: making steps ${first} to ${last} again to find the op` });
    await this.#pool.initialize(job.training.seed);
    if (path !== undefined) await restoreFrom(path, this.#pool, this.#executable.state);
    const onSkipped = (): void => undefined;
    const source = this.#data.start({ imageWorker: workerUrls.image, onSkipped, startBatch: before });
    // Scaled gradients that overflow are in order: their step is left out.
    const inspection: Inspection = job.precision.compute === 'f16' ? 'forward' : 'all';
    try {
      const step: Course['step'] = async (at, batch) => (await this.#run(at, batch, inspection)).nonFinite;
      const found = await findNonFinite({ first, last, source, step }, signal);
      return found === undefined ? error : explained(error, found);
    } finally {
      await source.close();
    }
  }

  async #step(batch: TrainingBatch, inputStallSeconds: number): Promise<MeasuredStep> {
    const { job } = this.#options;
    const { hardware, precision } = job;
    const step = this.step + 1;
    const { steps } = this;
    const learningRate = this.#learningRate(step);
    const start = performance.now();
    const { loss, lossScale, monitored, spans } = await this.#run(step, batch);
    const stepTimeSeconds = (performance.now() - start) / 1e3;
    const available = hardware.chip.matmul[precision.compute]!.peak * job.chips * stepTimeSeconds;
    if (!Number.isFinite(loss)) {
      throw new MeshwrightError('LOSS_NOT_FINITE', {
        place: `step ${step}`,
        expected: 'a finite loss',
        got: String(loss),
        hint: 'lower the learning rate or lengthen the warm-up',
      });
    }
    const line: StepMetrics = {
      step,
      epoch: batch.epoch,
      loss,
      learningRate,
      stepTimeSeconds,
      inputStallSeconds,
      tokensPerSecond: (job.batch * tokensPerExample(job.model)) / stepTimeSeconds,
      mfu: this.#modelFlops / available,
      ...exposedCommunication(spans),
      ...(lossScale === undefined ? {} : { lossScale }),
      ...(monitored === undefined ? {} : finiteOnly(monitored)),
    };
    this.made.add(line);
    this.#metricsFile?.append(line);
    this.#emit({ kind: 'step', metrics: line, steps });
    return { step, seconds: seconds(stepTimeSeconds), spansByRank: spans };
  }

  /**
   * How the model does on what was held out; nothing where nothing was.
   *
   * @param signal gives up after the batch in flight
   * @throws the signal's reason
   */
  async evaluate(signal: AbortSignal): Promise<Evaluation | undefined> {
    const { heldOut } = this.#source;
    if (heldOut === undefined) return undefined;
    this.#emit({ kind: 'phase', text: 'evaluating on what was held out' });
    const { job } = this.#options;
    const examples = job.batch / job.plan.microbatches;
    const forward = await this.#executable.forward(heldOut.output, examples);
    const evaluation = await heldOut.evaluate((batch) => {
      signal.throwIfAborted();
      return forward(batch);
    }, examples);
    this.#emit({ kind: 'evaluated', evaluation });
    return evaluation;
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#source.close()]);
  }
}
