/** Least squares with coefficients that can't be negative: times, rates and latencies are not. */
import { fcnnlsVector } from 'ml-fcnnls';

export interface Observation {
  /** What each coefficient is multiplied by. */
  readonly features: readonly number[];
  readonly target: number;
  /** How much its squared error counts. */
  readonly weight: number;
}

/** Coefficients ≥ 0 that minimize Σ weight · (features · coefficients − target)². */
export function fitNonNegative(observations: readonly Observation[]): number[] {
  const count = observations[0]!.features.length;
  // Features of very different sizes (bytes beside messages) would leave the solver without digits.
  const scales = Array.from({ length: count }, (_, index) => {
    const largest = Math.max(
      ...observations.map(({ features, weight }) => Math.abs(features[index]!) * Math.sqrt(weight)),
    );
    return largest === 0 ? 1 : largest;
  });
  const rows = observations.map(({ features, weight }) =>
    features.map((value, index) => (value * Math.sqrt(weight)) / scales[index]!),
  );
  const targets = observations.map(({ target, weight }) => target * Math.sqrt(weight));
  const solved = fcnnlsVector(rows, targets).K.to1DArray();
  return solved.map((value, index) => value / scales[index]!);
}
