/** What a job trains on, whatever its model sees: batches, and how the model does on what was held out. */
import type { ForwardOptions } from '../models/index.js';
import type { Numbers } from '../runtime/index.js';
import type { SkippedImage } from './data/loader.js';
import type { Evaluation } from './evaluation.js';
import type { Batch } from './feeds.js';

/** Data that was found and fits the job; nothing is under way yet. */
export interface TrainingData {
  /** Which setting of `training` names it. */
  readonly field: 'images' | 'text';
  /** For people: `512 images in 12 classes`. */
  readonly about: string;
  /** Tells other data apart, wherever it lies: what batches are made of hangs on all of it. */
  readonly digest: string;
  readonly batchesPerEpoch: number;
  start(options: SourceOptions): TrainingSource;
}

export interface SourceOptions {
  /** The compiled worker module that decodes images. */
  readonly imageWorker: URL;
  readonly onSkipped: (image: SkippedImage) => void;
  /** How many batches were taken before, by the run that is gone on with; the first is the one after them. */
  readonly startBatch: number;
}

export interface TrainingBatch {
  /** May be overwritten once the next is asked for. */
  readonly data: Batch;
  /** From 0. */
  readonly epoch: number;
}

export interface TrainingSource {
  /** How many batches at first take longer than later ones, since what they are made of is not in memory yet. */
  readonly coldBatches: number;
  /** Absent where nothing was held out. */
  readonly heldOut?: HeldOut;
  /** Endless. What a batch holds depends on the job's seed, its place and the data; on no mesh. */
  next(): Promise<TrainingBatch>;
  close(): Promise<void>;
}

/** The whole output of the forward program over a batch. */
export type RunForward = (batch: Batch) => Promise<Numbers>;

export interface HeldOut {
  /** What the forward program has to give. */
  readonly output: ForwardOptions['output'];
  /**
   * @param examples of a batch that `run` takes
   * @throws what `run` throws
   */
  evaluate(run: RunForward, examples: number): Promise<Evaluation>;
}
