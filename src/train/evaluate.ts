/** Accuracy over a set of images, by a forward program that all ranks run. */
import type { Program } from '../program/index.js';
import type { DevicePool, HostTensor, Numbers } from '../runtime/index.js';
import { assembleGlobal, numbersOf } from '../runtime/index.js';
import type { ImageLoader } from './data/loader.js';
import { rankFeeds } from './feeds.js';

export interface Evaluation {
  readonly images: number;
  readonly accuracy: number;
  /** Of guessing. */
  readonly chance: number;
}

/** The index of the largest of the values. */
function largest(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index;
  return best;
}

/**
 * @param name of the loaded program that gives `logits` of a loader's batch
 * @param loader one pass over the images, in order
 */
export async function evaluate(
  pool: DevicePool,
  name: string,
  program: Program,
  loader: ImageLoader,
): Promise<Evaluation> {
  const output = program.outputs.find((candidate) => candidate.name === 'logits')!;
  const type = program.values[output.value]!.type;
  const classes = type.shape[1]!;
  let images = 0;
  let right = 0;
  for await (const batch of loader) {
    const feeds = (rank: number) => rankFeeds(program, rank, batch, {});
    const { outputs } = await pool.run(name, { feeds, outputs: ['logits'] });
    const logits = numbersOf(
      assembleGlobal(
        pool.mesh,
        outputs.map((one) => one['logits'] as HostTensor),
        type,
      ),
    );
    for (let row = 0; row < batch.count; row++) {
      const slice = (values: Numbers) => values.subarray(row * classes, (row + 1) * classes);
      if (largest(slice(logits)) === largest(slice(batch.labels))) right++;
    }
    images += batch.count;
  }
  return { images, accuracy: images === 0 ? 0 : right / images, chance: 1 / classes };
}
