/**
 * A job at work on this machine: its ranks, its images and where it is in them. Several sessions may be open at once
 * and take turns; one that is not asked to advance uses no core.
 */
import { appendFileSync } from 'node:fs';
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import { lowerEvaluation, lowerJob, modelFlops } from '../job/index.js';
import { tokenCount } from '../models/index.js';
import type { Program } from '../program/index.js';
import type { HostTensor } from '../runtime/index.js';
import { DevicePool, numbersOf } from '../runtime/index.js';
import type { MeasuredStep } from '../trace/index.js';
import { seconds } from '../units.js';
import type { ImageSample } from './data/folder.js';
import type { ImageBatch, ImageLoader, SkippedImage } from './data/loader.js';
import { createImageLoader } from './data/loader.js';
import type { Dataset } from './dataset.js';
import { openJobImages } from './dataset.js';
import type { Evaluation } from './evaluate.js';
import { evaluate } from './evaluate.js';
import type { StepMetrics, TrainEvent } from './events.js';
import { rankFeeds } from './feeds.js';
import { learningRateAt } from './schedule.js';

export interface WorkerUrls {
  readonly rank: URL;
  readonly image: URL;
}

export interface SessionOptions {
  readonly job: Job;
  readonly workerUrls: WorkerUrls;
  /** Appended to, a line a step. */
  readonly metricsFile?: string;
}

type Emit = (event: TrainEvent) => void;

const PREFETCHED_BATCHES = 2;

function appendLine(file: string, line: string): void {
  try {
    appendFileSync(file, `${line}\n`);
  } catch (error) {
    throw new MeshwrightError('WRITE_FAILED', {
      place: file,
      expected: 'a file that can be written',
      got: (error as Error).message,
    });
  }
}

export class Session {
  /** Of the whole run; the learning-rate schedule ends with the last. */
  readonly steps: number;
  readonly batchesPerEpoch: number;
  readonly metrics: StepMetrics[] = [];
  readonly skipped: SkippedImage[] = [];
  readonly #options: SessionOptions;
  readonly #emit: Emit;
  readonly #images: Dataset;
  readonly #loader: ImageLoader;
  readonly #batches: AsyncIterator<ImageBatch>;
  readonly #program: Program;
  readonly #pool: DevicePool;
  readonly #modelFlops: number;

  private constructor(options: SessionOptions, emit: Emit, images: Dataset, program: Program, pool: DevicePool) {
    const { job } = options;
    this.#options = options;
    this.#emit = emit;
    this.#images = images;
    this.#program = program;
    this.#pool = pool;
    this.#loader = this.#loaderOf(images.train.samples, job.batch, true);
    this.#batches = this.#loader[Symbol.asyncIterator]();
    this.#modelFlops = modelFlops(job.model, job.batch);
    this.batchesPerEpoch = this.#loader.batchesPerEpoch;
    this.steps = job.training.steps ?? Math.max(1, Math.round(job.training.epochs * this.batchesPerEpoch));
  }

  /**
   * Starts the ranks, with the job's program compiled and its initial parameters.
   *
   * @throws MeshwrightError of wrong data, of a job that does not fit it, DEVICE_FAILED, DTYPE_UNSUPPORTED
   */
  static async open(options: SessionOptions, emit: Emit): Promise<Session> {
    const { job, workerUrls } = options;
    const { plan, training } = job;
    emit({ kind: 'phase', text: 'reading the image folder' });
    const images = await openJobImages(job);
    emit({ kind: 'phase', text: 'compiling the step on all ranks' });
    const program = lowerJob(job);
    const pool = await DevicePool.create({
      mesh: plan.mesh,
      family: training.family,
      threadsPerRank: training.threadsPerRank,
      workerUrl: workerUrls.rank,
    });
    try {
      await pool.load('step', program);
      await pool.initialize(training.seed);
      return new Session(options, emit, images, program, pool);
    } catch (error) {
      await pool.close();
      throw error;
    }
  }

  #loaderOf(samples: readonly ImageSample[], batchSize: number, training: boolean): ImageLoader {
    const { job, workerUrls } = this.#options;
    return createImageLoader({
      imageSize: job.model.imageSize,
      samples,
      classCount: job.model.classes,
      batchSize,
      seed: job.training.seed,
      training,
      workers: job.training.loaderWorkers,
      prefetchBatches: PREFETCHED_BATCHES,
      workerUrl: workerUrls.image,
      onSkipped: (image) => {
        this.skipped.push(image);
        this.#emit({ kind: 'skipped', image });
      },
    });
  }

  /**
   * Trains up to `count` more steps.
   *
   * @param signal ends it after the step in flight
   * @throws MeshwrightError RANK_FAILED, TIMED_OUT
   */
  async advance(count: number, signal: AbortSignal): Promise<MeasuredStep[]> {
    const measured: MeasuredStep[] = [];
    while (measured.length < count && !signal.aborted) {
      const asked = performance.now();
      const { value: batch } = (await this.#batches.next()) as IteratorYieldResult<ImageBatch>;
      measured.push(await this.#step(batch, (performance.now() - asked) / 1e3));
    }
    return measured;
  }

  async #step(batch: ImageBatch, inputStallSeconds: number): Promise<MeasuredStep> {
    const { job, metricsFile } = this.#options;
    const { training, hardware, precision } = job;
    const step = this.metrics.length + 1;
    const { steps } = this;
    const { learningRate: peak, warmupSteps, cooldownSteps } = training;
    const learningRate = learningRateAt(step, { peak, steps, warmupSteps, cooldownSteps });
    const scalars = { 'learning-rate': learningRate, step };
    const start = performance.now();
    const feeds = (rank: number) => rankFeeds(this.#program, rank, batch, scalars);
    const { outputs, spans } = await this.#pool.run('step', { feeds, outputs: ['loss'] });
    const stepTimeSeconds = (performance.now() - start) / 1e3;
    const available = hardware.chip.matmul[precision.compute]!.peak * job.chips * stepTimeSeconds;
    const loss = numbersOf(outputs[0]!['loss'] as HostTensor)[0]!;
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
      tokensPerSecond: (job.batch * tokenCount(job.model)) / stepTimeSeconds,
      mfu: this.#modelFlops / available,
    };
    this.metrics.push(line);
    if (metricsFile !== undefined) appendLine(metricsFile, JSON.stringify(line));
    this.#emit({ kind: 'step', metrics: line, steps });
    return { step, seconds: seconds(stepTimeSeconds), spansByRank: spans };
  }

  /** Accuracy on the held-out images; nothing where there are none. */
  async evaluate(): Promise<Evaluation | undefined> {
    const { job } = this.#options;
    const { heldOut } = this.#images;
    if (heldOut === undefined) return undefined;
    this.#emit({ kind: 'phase', text: 'evaluating on held-out images' });
    const size = job.batch / job.plan.microbatches;
    const forward = lowerEvaluation(job, size);
    await this.#pool.load('evaluation', forward);
    const loader = this.#loaderOf(heldOut.samples, size, false);
    try {
      const evaluation = await evaluate(this.#pool, 'evaluation', forward, loader);
      this.#emit({ kind: 'evaluated', evaluation });
      return evaluation;
    } finally {
      await loader.close();
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#loader.close()]);
  }
}
