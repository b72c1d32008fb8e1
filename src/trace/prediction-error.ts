/** How far a prediction is off: the one measure of it that commands, the UI and the report show, and calibration judges by. */

/** As a share of what was measured: positive where too much was predicted. */
export const relativeError = (predicted: number, measured: number): number =>
  measured === 0 ? Number.NaN : predicted / measured - 1;

/** Mean size of the errors that can be told; nothing where there are none. */
export function meanError(errors: readonly number[]): number | undefined {
  const known = errors.filter((error) => Number.isFinite(error));
  return known.length === 0 ? undefined : known.reduce((sum, error) => sum + Math.abs(error), 0) / known.length;
}
