/** Reading a checkpoint: all that is to be known of it before anything is changed, and its tensors on the ranks. */
import type { Job } from '../../job/index.js';
import { MeshwrightError } from '../../errors.js';
import { omit } from '../../omit.js';
import { elementCount } from '../../program/index.js';
import type { DevicePool } from '../../runtime/index.js';
import { stored } from '../../runtime/index.js';
import type { TrainingData } from '../source.js';
import type { CheckpointMetadata } from './metadata.js';
import { differences, parseMetadata } from './metadata.js';
import { Safetensors } from './safetensors.js';
import type { PlacedTensor } from './safetensors-header.js';
import { refused } from './safetensors-header.js';
import { firstNonfinite } from './save.js';
import type { StateTensor } from './state-tensors.js';
import { jobState } from './state-tensors.js';
import { spread } from './transfer.js';

export class Checkpoint {
  readonly metadata: CheckpointMetadata;
  readonly #file: Safetensors;

  /** @throws MeshwrightError CHECKPOINT_INVALID of a file that is none, is somebody else's or was cut short */
  constructor(path: string) {
    this.#file = new Safetensors(path);
    try {
      this.metadata = parseMetadata(this.#file.metadata, path);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get path(): string {
    return this.#file.path;
  }

  get bytes(): number {
    return this.#file.bytes;
  }

  /**
   * Reads all of it. @throws MeshwrightError CHECKPOINT_INVALID where a byte isn't as it was written, or a value isn't
   * finite
   */
  verify(): void {
    for (const tensor of this.#file.tensors) this.#read(tensor);
  }

  #read(tensor: PlacedTensor) {
    const values = this.#file.read(tensor);
    const wrong = firstNonfinite(values);
    if (wrong !== undefined) throw refused(`${this.path}, tensor ${tensor.name}`, 'finite numbers', String(wrong));
    return values;
  }

  /**
   * What of a job's state is in the file: all but counters, which only a scaled loss has.
   *
   * @throws MeshwrightError CHECKPOINT_INVALID where a tensor is missing, of another shape, or one too many
   */
  #match(wanted: readonly StateTensor[]): { readonly tensor: StateTensor; readonly from: PlacedTensor }[] {
    const held = new Map(this.#file.tensors.map((tensor) => [tensor.name, tensor]));
    const matched = wanted.flatMap((tensor) => {
      const from = held.get(tensor.name);
      held.delete(tensor.name);
      const expected = `[${tensor.shape.join(',')}]`;
      const place = `${this.path}, tensor ${tensor.name}`;
      if (from === undefined) {
        if (tensor.input.kind === 'counter') return [];
        throw refused(place, expected, 'none');
      }
      if (String(from.shape) !== String(tensor.shape) || elementCount(from.shape) !== elementCount(tensor.shape))
        throw refused(place, expected, `[${from.shape.join(',')}]`);
      return [{ tensor, from }];
    });
    const [extra] = [...held.keys()].filter((name) => !name.startsWith('counter/'));
    if (extra !== undefined) throw refused(this.path, "the job's tensors alone", extra);
    return matched;
  }

  /**
   * Whether a job can go on from here.
   *
   * @param steps of the whole run
   * @throws MeshwrightError CHECKPOINT_INVALID of a file whose tensors are others, JOB_INVALID of a job with another
   *   model, optimizer, batch or seed, other data, or no steps left
   */
  requireFits(job: Job, data: TrainingData, steps: number): void {
    const { model, optimizer, data: position, step } = this.metadata;
    const other = (place: string, expected: string, got: string, hint?: string): MeshwrightError =>
      new MeshwrightError('JOB_INVALID', {
        place,
        expected: `${expected}, as ${this.path} has it`,
        got,
        ...(hint === undefined ? {} : { hint }),
      });
    const [difference] = differences(omit(model, 'name'), omit(modelSettings(job), 'name'));
    if (difference !== undefined) throw other(`model.${difference.field}`, difference.expected, difference.got);
    if (job.optimizer.kind !== optimizer.kind) throw other('optimizer.kind', optimizer.kind, job.optimizer.kind);
    const order = 'what comes next in the data hangs on it';
    if (job.batch !== position.batch) throw other('batch', String(position.batch), String(job.batch), order);
    if (job.training.seed !== position.seed)
      throw other('training.seed', String(position.seed), String(job.training.seed), order);
    if (data.digest !== position.digest) throw other(`training.${data.field}`, position.about, data.about, order);
    if (position.batches !== step) throw refused(this.path, `${step} batches, one a step`, String(position.batches));
    this.#match(jobState(job));
    if (step < steps) return;
    throw new MeshwrightError('JOB_INVALID', {
      place: 'training.steps',
      expected: `more than the ${step} steps that ${this.path} has behind it`,
      got: String(steps),
      hint: `the run is over; --steps ${2 * step} goes on with it`,
    });
  }

  /** Gives the ranks what is in the file; counters that it lacks become what they would be. */
  async restore(pool: DevicePool, wanted: readonly StateTensor[]): Promise<void> {
    const { appliedSteps, initialLossScale } = this.metadata.optimizer;
    const matched = this.#match(wanted);
    const scale = wanted.find(({ name }) => name === 'counter/loss-scale')?.input;
    // Another initial scale was asked for since: it is for the steps that come.
    const isOther = scale?.kind === 'counter' && scale.initial !== initialLossScale;
    for (const { tensor, from } of matched) {
      if (tensor.name === 'counter/loss-scale' && isOther) continue;
      await spread(pool, tensor, this.#read(from));
    }
    const applied = wanted.find(({ name }) => name === 'counter/applied-steps');
    if (applied !== undefined) await spread(pool, applied, stored(applied.dtype, Float64Array.of(appliedSteps)));
  }

  close(): void {
    this.#file.close();
  }
}

/** What makes a model what it is, and its name. */
export const modelSettings = ({ model }: Pick<Job, 'model'>): CheckpointMetadata['model'] => ({ ...model });
