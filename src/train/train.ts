/** The training loop: batches in, one step of the program on all ranks after the other, figures out. */
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import { lowerEvaluation, lowerJob } from '../job/index.js';
import { DevicePool } from '../runtime/index.js';
import type { MeasuredStep, TimedSpan } from '../trace/index.js';
import { summarizeSteps } from '../trace/index.js';
import type { DecodeOptions } from './data/decode.js';
import type { ImageSample } from './data/folder.js';
import type { ImageLoader, SkippedImage } from './data/loader.js';
import { createImageLoader } from './data/loader.js';
import { openDataset } from './dataset.js';
import type { Evaluation } from './evaluate.js';
import { evaluate } from './evaluate.js';
import type { StepMetrics, TrainEvent } from './steps.js';
import { runSteps } from './steps.js';

export interface TrainOptions {
  readonly job: Job;
  readonly workerUrls: { readonly rank: URL; readonly image: URL };
  /** The first steps compile, fault in memory and warm caches: they are trained but not timed. */
  readonly untimedSteps: number;
  /** Appended to, a line a step. */
  readonly metricsFile?: string;
  readonly evaluate: boolean;
}

export interface TrainReport {
  readonly metrics: readonly StepMetrics[];
  /** Of the timed steps whose spans were kept. */
  readonly stepSeconds: readonly number[];
  /** Each span's time over these steps. */
  readonly spans: readonly TimedSpan[];
  /** A step as it happened: the timed one closest to the median. */
  readonly typicalStep: MeasuredStep;
  readonly skipped: readonly SkippedImage[];
  readonly evaluation?: Evaluation;
}

const PREFETCHED_BATCHES = 2;

function requireImages({ training }: Job): string {
  if (training.images !== undefined) return training.images;
  throw new MeshwrightError('JOB_INVALID', {
    place: 'training.images',
    expected: 'a folder of class folders with images',
    got: 'nothing',
    hint: 'give --images DIR; `meshwright images DIR` draws a small set',
  });
}

/**
 * Trains a job on this machine's devices.
 *
 * @param signal ends the run after the step in flight; what was trained until then is reported
 * @throws MeshwrightError of wrong data, of a plan that does not fit it, RANK_FAILED, TIMED_OUT
 */
export async function train(
  options: TrainOptions,
  emit: (event: TrainEvent) => void,
  signal: AbortSignal,
): Promise<TrainReport> {
  const { job, workerUrls } = options;
  const { model, plan, training } = job;
  emit({ kind: 'phase', text: 'reading the image folder' });
  const { train: images, heldOut } = await openDataset(requireImages(job));
  if (images.classes.length !== model.classes) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'model.classes',
      expected: `${images.classes.length}, the classes of ${training.images}`,
      got: String(model.classes),
    });
  }
  const skipped: SkippedImage[] = [];
  const loaderOf = (samples: readonly ImageSample[], batchSize: number, isTraining: boolean): ImageLoader => {
    const decode: DecodeOptions = { imageSize: model.imageSize };
    return createImageLoader({
      ...decode,
      samples,
      classCount: model.classes,
      batchSize,
      seed: training.seed,
      training: isTraining,
      workers: training.loaderWorkers,
      prefetchBatches: PREFETCHED_BATCHES,
      workerUrl: workerUrls.image,
      onSkipped: (image) => {
        skipped.push(image);
        emit({ kind: 'skipped', image });
      },
    });
  };
  const loader = loaderOf(images.samples, job.batch, true);
  emit({ kind: 'phase', text: 'compiling the step on all ranks' });
  const program = lowerJob(job);
  let pool: DevicePool | undefined;
  try {
    pool = await DevicePool.create({
      mesh: plan.mesh,
      family: training.family,
      threadsPerRank: training.threadsPerRank,
      workerUrl: workerUrls.rank,
    });
    await pool.load('step', program);
    await pool.initialize(training.seed);
    const steps = training.steps ?? Math.max(1, Math.round(training.epochs * loader.batchesPerEpoch));
    emit({ kind: 'phase', text: 'training' });
    const { metrics, kept } = await runSteps({ ...options, pool, program, loader, steps }, emit, signal);
    let evaluation: Evaluation | undefined;
    if (options.evaluate && heldOut !== undefined && !signal.aborted) {
      emit({ kind: 'phase', text: 'evaluating on held-out images' });
      const size = job.batch / plan.microbatches;
      const forward = lowerEvaluation(job, size);
      await pool.load('evaluation', forward);
      const heldOutLoader = loaderOf(heldOut.samples, size, false);
      try {
        evaluation = await evaluate(pool, 'evaluation', forward, heldOutLoader);
      } finally {
        await heldOutLoader.close();
      }
      emit({ kind: 'evaluated', evaluation });
    }
    return { ...reportOf(metrics, kept, options.untimedSteps), skipped, ...(evaluation ? { evaluation } : {}) };
  } finally {
    await Promise.all([pool?.close(), loader.close()]);
  }
}

function reportOf(
  metrics: readonly StepMetrics[],
  kept: readonly MeasuredStep[],
  untimedSteps: number,
): Pick<TrainReport, 'metrics' | 'stepSeconds' | 'spans' | 'typicalStep'> {
  // A run that is cut short, or only a few steps long, is timed on what there is.
  const untimed = Math.min(untimedSteps, Math.floor(metrics.length / 2));
  const timed = kept.filter(({ step }) => step > untimed);
  const stepSeconds = timed.map((step) => step.seconds);
  const ordered = timed.toSorted((a, b) => a.seconds - b.seconds);
  return { metrics, stepSeconds, spans: summarizeSteps(timed), typicalStep: ordered[Math.floor(ordered.length / 2)]! };
}
