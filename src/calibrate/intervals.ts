/** Quantiles of what a fit leaves, and of numbers that it found. */
import { probit } from 'simple-statistics';

/** The value below which a share of the weight lies, the weight of each value spread evenly around it. */
export function weightedQuantile(values: readonly number[], weights: readonly number[], share: number): number {
  const sorted = values.map((value, index) => ({ value, weight: weights[index]! })).sort((a, b) => a.value - b.value);
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  let below = 0;
  const places = sorted.map(({ value, weight }) => {
    const place = (below + weight / 2) / total;
    below += weight;
    return { value, place };
  });
  const after = places.findIndex(({ place }) => place >= share);
  if (after <= 0) return (after === 0 ? places[0]! : places.at(-1)!).value;
  const [a, b] = [places[after - 1]!, places[after]!];
  return a.value + ((share - a.place) / (b.place - a.place)) * (b.value - a.value);
}

/** The quantile of Student's t distribution (Abramowitz and Stegun 1964, 26.7.5), to a percent from 3 degrees of freedom. */
export function studentQuantile(share: number, degrees: number): number {
  // With one or two, there are closed forms.
  if (degrees === 1) return Math.tan(Math.PI * (share - 0.5));
  if (degrees === 2) return ((2 * share - 1) * Math.SQRT2) / (2 * Math.sqrt(share * (1 - share)));
  const z = probit(share);
  const [z3, z5, z7] = [z ** 3, z ** 5, z ** 7];
  return (
    z +
    (z3 + z) / (4 * degrees) +
    (5 * z5 + 16 * z3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * degrees ** 3)
  );
}
