/** Quantities and rates of a document as numbers, or what is wrong with them, with file and line. */
import { MeshwrightError } from '../errors.js';
import type { Dimension } from '../units.js';
import { bytesPerSecond, parseQuantity } from '../units.js';
import type { Path } from '../source.js';
import type { RateField } from './schema.js';
import type { Bandwidth } from './types.js';

export type Place = (path: Path) => string;

/** A quantity above zero: nothing that a chip has is of size or rate zero. */
export function positive<D extends Dimension>(
  text: unknown,
  dimension: D,
  place: string,
): ReturnType<typeof parseQuantity<D>> {
  const amount = parseQuantity(text, dimension, place);
  if (amount > 0) return amount;
  throw new MeshwrightError('QUANTITY_INVALID', { place, expected: 'more than zero', got: JSON.stringify(text) });
}

type RateDimension = 'bytesPerSecond' | 'flopsPerSecond';

export function rateOf<D extends RateDimension>(
  field: Pick<RateField, 'peak' | 'achievable'>,
  dimension: D,
  path: Path,
  place: Place,
  mayExceedPeak: boolean,
): { peak: number; achievable: number } {
  const peak: number = positive(field.peak.value, dimension, place([...path, 'peak', 'value']));
  const { value } = field.achievable;
  const achievablePlace = place([...path, 'achievable', 'value']);
  const achievable: number = typeof value === 'number' ? value * peak : positive(value, dimension, achievablePlace);
  if (achievable > peak && !mayExceedPeak) {
    throw new MeshwrightError('QUANTITY_INVALID', {
      place: achievablePlace,
      expected: `at most the peak, ${field.peak.value}`,
      got: String(value),
    });
  }
  return { peak, achievable };
}

export function bandwidth(field: RateField, path: Path, place: Place, mayExceedPeak = false): Bandwidth {
  const { peak, achievable } = rateOf(field, 'bytesPerSecond', path, place, mayExceedPeak);
  return { peak: bytesPerSecond(peak), achievable: bytesPerSecond(achievable) };
}
