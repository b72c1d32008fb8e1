/** Writes down where a run is: when that is due, and what there is to say of it. */
import type { Job } from '../job/index.js';
import { formatPlan } from '../job/index.js';
import type { DevicePool } from '../runtime/index.js';
import { numbersOf } from '../runtime/index.js';
import type { CheckpointMetadata, StateTensor } from './checkpoint/index.js';
import { checkpointPath, gather, modelSettings, saveState, writeCheckpoint } from './checkpoint/index.js';
import type { SavedCheckpoint } from './events.js';
import type { TrainingData } from './source.js';
import type { Start } from './start.js';
import { stepsOf } from './start.js';

export interface CheckpointerOptions {
  readonly job: Job;
  /** None is written unless there is one. */
  readonly runFolder: string | undefined;
  readonly data: TrainingData;
  readonly pool: DevicePool;
  readonly state: readonly StateTensor[];
  readonly start: Start;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #saved: SavedCheckpoint | undefined;
  #savedAt = performance.now();

  constructor(options: CheckpointerOptions) {
    this.#options = options;
  }

  /** The newest of this session. */
  get saved(): SavedCheckpoint | undefined {
    return this.#saved;
  }

  isDue(step: number): boolean {
    const { everySteps, everySeconds } = this.#options.job.training.checkpoint;
    if (everySteps !== undefined && step % everySteps === 0) return true;
    return everySeconds !== undefined && performance.now() - this.#savedAt >= everySeconds * 1e3;
  }

  /**
   * Writes the state that the ranks have after a step; the newest checkpoint where that is it already.
   *
   * @throws MeshwrightError WRITE_FAILED, LOSS_NOT_FINITE of parameters that nothing can go on from, RANK_FAILED
   */
  async save(step: number): Promise<SavedCheckpoint | undefined> {
    const { job, runFolder, pool, state, start } = this.#options;
    const { keep } = job.training.checkpoint;
    if (runFolder === undefined || keep === 0) return undefined;
    if (this.#saved?.step === step) return this.#saved;
    const begun = performance.now();
    const path = checkpointPath(runFolder, step);
    const metadata = await this.#metadata(step);
    const bytes = await writeCheckpoint(path, start.run, keep, (under) => saveState(under, pool, state, metadata));
    this.#savedAt = performance.now();
    this.#saved = { path, step, bytes, seconds: (this.#savedAt - begun) / 1e3 };
    return this.#saved;
  }

  async #metadata(step: number): Promise<CheckpointMetadata> {
    const { job, data, state, start } = this.#options;
    const { seed, learningRate, warmupSteps, cooldownSteps } = job.training;
    const scale = state.find(({ name }) => name === 'counter/loss-scale')?.input;
    return {
      run: start.run,
      step,
      steps: stepsOf(job, data),
      model: modelSettings(job),
      plan: formatPlan(job.plan),
      optimizer: {
        ...job.optimizer,
        learningRate,
        warmupSteps,
        cooldownSteps,
        appliedSteps: await this.#appliedSteps(step),
        ...(scale?.kind === 'counter' ? { initialLossScale: scale.initial } : {}),
      },
      data: {
        batches: step,
        batch: job.batch,
        epoch: Math.floor(step / data.batchesPerEpoch),
        seed,
        digest: data.digest,
        about: data.about,
      },
    };
  }

  /** Where the loss is scaled the ranks count the updates that were made. */
  async #appliedSteps(step: number): Promise<number> {
    const { pool, state, start } = this.#options;
    const counter = state.find(({ name }) => name === 'counter/applied-steps');
    return counter === undefined ? step - start.skippedUpdates : numbersOf(await gather(pool, counter))[0]!;
  }
}
