/** Where a number that is not finite came from: the steps since the last checkpoint are made again, looked at op by op. */
import { MeshwrightError } from '../errors.js';
import type { NonFinite } from '../runtime/index.js';
import type { TrainingBatch, TrainingSource } from './source.js';

export interface Course {
  /** The steps that are made again. */
  readonly first: number;
  readonly last: number;
  /** Begins with the batch of the first. */
  readonly source: TrainingSource;
  /** Makes a step of the state that the one before has left. @returns what was not finite, if anything */
  step(step: number, batch: TrainingBatch): Promise<NonFinite | undefined>;
}

export interface FoundNonFinite {
  readonly step: number;
  readonly found: NonFinite;
}

/**
 * Steps are a function of state and data, so they do again what they did.
 *
 * @param signal gives up
 * @returns nothing where they don't
 */
export async function findNonFinite(
  { first, last, source, step: make }: Course,
  signal: AbortSignal,
): Promise<FoundNonFinite | undefined> {
  for (let step = first; step <= last && !signal.aborted; step++) {
    const found = await make(step, await source.next());
    if (found !== undefined) return { step, found };
  }
  return undefined;
}

const LOWER = 'lower the learning rate or lengthen the warm-up';

const magnitude = (value: number): string => value.toPrecision(2);

/** What an error that a number is not finite says once it is known where that came from. */
export function explained(cause: MeshwrightError, { step, found }: FoundNonFinite): MeshwrightError {
  const { kind, place, name, phase, rank, value, index, count, elements, operands } = found;
  const where = `${count} of ${elements} elements on rank ${rank}, the first at ${index}`;
  const earlier = `${cause.detail.got} at ${cause.detail.place} came of it`;
  const error = (at: string, expected: string, got: string, hint: string): MeshwrightError =>
    new MeshwrightError('LOSS_NOT_FINITE', { place: `step ${step}, ${at}`, expected, got, hint }, { cause });
  switch (kind) {
    case 'data':
      return error(`data ${place}`, 'finite data', `${value}, ${where}`, `look at the data; ${earlier}`);
    case 'state':
      return error(place, 'finite state before the step', `${value}, ${where}`, `${LOWER}; ${earlier}`);
    default: {
      const of = operands.length === 0 ? '' : `, of operands up to ${operands.map(magnitude).join(' and ')}`;
      const got = `${value} from ${name} (${phase}), the first op that gave one: ${where}${of}`;
      return error(place, 'finite numbers', got, `${LOWER}; ${earlier}`);
    }
  }
}
