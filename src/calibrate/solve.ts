/** Weighted least squares with a prior, by normal equations. */
import { MeshwrightError } from '../errors.js';

export interface Row {
  /** How much the residual falls when each parameter rises by one. */
  readonly slopes: readonly number[];
  readonly residual: number;
  readonly weight: number;
}

/** Solves the symmetric positive definite system A·x = b (Cholesky). */
export function solvePositive(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const size = right.length;
  const lower = matrix.map((row) => [...row]);
  for (let column = 0; column < size; column++) {
    for (let row = column; row < size; row++) {
      let rest = lower[row]![column]!;
      for (let k = 0; k < column; k++) rest -= lower[row]![k]! * lower[column]![k]!;
      if (row === column) {
        if (!(rest > 0))
          throw new MeshwrightError('INTERNAL', {
            place: 'fit',
            expected: 'a positive definite matrix',
            got: String(rest),
          });
        lower[row]![column] = Math.sqrt(rest);
      } else lower[row]![column] = rest / lower[column]![column]!;
    }
  }
  const solved = [...right];
  for (let row = 0; row < size; row++) {
    for (let k = 0; k < row; k++) solved[row]! -= lower[row]![k]! * solved[k]!;
    solved[row]! /= lower[row]![row]!;
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let k = row + 1; k < size; k++) solved[row]! -= lower[k]![row]! * solved[k]!;
    solved[row]! /= lower[row]![row]!;
  }
  return solved;
}

/** Of a symmetric positive definite matrix. */
export function inverse(matrix: readonly (readonly number[])[]): number[][] {
  const columns = matrix.map((_, column) =>
    solvePositive(
      matrix,
      matrix.map((_, row) => (row === column ? 1 : 0)),
    ),
  );
  // Symmetric but for rounding.
  return columns.map((row, i) => row.map((value, j) => (value + columns[j]![i]!) / 2));
}

/** What is known of the parameters before and by the rows: the inverse of their covariance. */
export function informationOf(rows: readonly Row[], precision: readonly (readonly number[])[]): number[][] {
  const matrix = precision.map((row) => [...row]);
  for (const { slopes, weight } of rows)
    slopes.forEach((slope, row) => {
      if (slope !== 0) slopes.forEach((other, column) => (matrix[row]![column]! += weight * slope * other));
    });
  return matrix;
}

/**
 * The change of the parameters that minimizes Σ weight · (residual − slopes · change)² + (θ + change)ᵀ·P·(θ + change).
 *
 * @param at θ, where the slopes were taken
 * @param precision P, of the parameters before anything was measured; positive definite
 */
export function leastSquares(
  rows: readonly Row[],
  at: readonly number[],
  precision: readonly (readonly number[])[],
): number[] {
  const right = precision.map((row) => -row.reduce((sum, value, index) => sum + value * at[index]!, 0));
  for (const { slopes, residual, weight } of rows)
    slopes.forEach((slope, row) => (right[row]! += weight * slope * residual));
  return solvePositive(informationOf(rows, precision), right);
}
