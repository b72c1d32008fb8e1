/** One step after the other: a batch to all ranks, the loss back, a line of figures. */
import { appendFileSync } from 'node:fs';
import type { Job } from '../job/index.js';
import { modelFlops } from '../job/index.js';
import { tokenCount } from '../models/index.js';
import type { Program } from '../program/index.js';
import type { DevicePool } from '../runtime/index.js';
import type { MeasuredStep } from '../trace/index.js';
import { seconds } from '../units.js';
import type { ImageLoader, SkippedImage } from './data/loader.js';
import type { Evaluation } from './evaluate.js';
import { rankFeeds } from './feeds.js';
import { learningRateAt } from './schedule.js';

export type TrainEvent =
  | { readonly kind: 'phase'; readonly text: string }
  | { readonly kind: 'step'; readonly metrics: StepMetrics; readonly steps: number }
  | { readonly kind: 'skipped'; readonly image: SkippedImage }
  | { readonly kind: 'evaluated'; readonly evaluation: Evaluation };

/** A line of `metrics.jsonl`. */
export interface StepMetrics {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  /** From handing out the batch to the last rank's end. */
  readonly stepTimeSeconds: number;
  /** Waiting for images before it. */
  readonly inputStallSeconds: number;
  readonly tokensPerSecond: number;
  readonly mfu: number;
}

export interface StepsOptions {
  readonly job: Job;
  /** With the program loaded as `step`. */
  readonly pool: DevicePool;
  readonly program: Program;
  readonly loader: ImageLoader;
  readonly steps: number;
  readonly metricsFile?: string;
}

/** Steps whose spans are kept; more would add memory, not accuracy. */
const KEPT_STEPS = 256;

/** @param signal ends the loop after the step in flight */
export async function runSteps(
  { job, pool, program, loader, steps, metricsFile }: StepsOptions,
  emit: (event: TrainEvent) => void,
  signal: AbortSignal,
): Promise<{ metrics: StepMetrics[]; kept: MeasuredStep[] }> {
  const { model, batch: images, hardware, precision, chips, training } = job;
  const tokens = images * tokenCount(model);
  const available = hardware.chip.matmul[precision.compute]!.peak * chips;
  const flopsPerStep = modelFlops(model, images);
  const { learningRate: peak, warmupSteps, cooldownSteps } = training;
  const metrics: StepMetrics[] = [];
  const kept: MeasuredStep[] = [];
  let before = performance.now();
  for await (const batch of loader) {
    const step = metrics.length + 1;
    const start = performance.now();
    const learningRate = learningRateAt(step, { peak, steps, warmupSteps, cooldownSteps });
    const scalars = { 'learning-rate': learningRate, step };
    const feeds = (rank: number) => rankFeeds(program, rank, batch, scalars);
    const run = await pool.run('step', { feeds, outputs: ['loss'] });
    const stepTimeSeconds = (performance.now() - start) / 1e3;
    const line: StepMetrics = {
      step,
      epoch: batch.epoch,
      loss: (run.outputs[0]!['loss'] as Float32Array)[0]!,
      learningRate,
      stepTimeSeconds,
      inputStallSeconds: (start - before) / 1e3,
      tokensPerSecond: tokens / stepTimeSeconds,
      mfu: flopsPerStep / (stepTimeSeconds * available),
    };
    metrics.push(line);
    if (metricsFile !== undefined) appendFileSync(metricsFile, `${JSON.stringify(line)}\n`);
    if (kept.length < KEPT_STEPS) kept.push({ step, seconds: seconds(stepTimeSeconds), spansByRank: run.spans });
    emit({ kind: 'step', metrics: line, steps });
    if (step === steps || signal.aborted) break;
    before = performance.now();
  }
  return { metrics, kept };
}
