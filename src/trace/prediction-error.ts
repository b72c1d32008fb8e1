/** How far a prediction is off: the one measure of it that commands, the UI and the report show. */

/** As a share of what was measured: positive where too much was predicted. */
export const relativeError = (predicted: number, measured: number): number =>
  measured === 0 ? Number.NaN : predicted / measured - 1;

/** Mean size of the errors that can be told; nothing where there are none. */
export function meanError(errors: readonly number[]): number | undefined {
  const known = errors.filter((error) => Number.isFinite(error));
  return known.length === 0 ? undefined : known.reduce((sum, error) => sum + Math.abs(error), 0) / known.length;
}

/**
 * How many times too long or too short a prediction is, 1 or more. What is added up and compared by its logarithm, since
 * an error as a share has no more than 100 % on its one side: −84 % is further off than +121 %.
 */
export const factorOff = (predicted: number, measured: number): number =>
  Math.max(predicted / measured, measured / predicted);
