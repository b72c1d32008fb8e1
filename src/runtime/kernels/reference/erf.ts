/** The normal distribution in float64, which JavaScript's Math does not have. */

/** From here on the continued fraction needs fewer terms than the series and loses no digits. */
const TAIL = 3;

/** erf(z) = 2/√π · e^(−z²) · Σ 2ⁿ z²ⁿ⁺¹ / (2n+1)!! (Abramowitz and Stegun 7.1.6): no term cancels another. */
function erfBySeries(z: number): number {
  let term = z;
  let total = z;
  for (let n = 1; Math.abs(term) > Math.abs(total) * 1e-17; n++) {
    term *= (2 * z * z) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z) * total;
}

/** erfc(z) for z ≥ TAIL: e^(−z²)/√π · 1/(z + ½/(z + 1/(z + 3⁄2/(z + …)))) (Abramowitz and Stegun 7.1.14). */
function erfcByFraction(z: number): number {
  let denominator = z;
  for (let n = 60; n >= 1; n--) denominator = z + n / 2 / denominator;
  return Math.exp(-z * z) / (Math.sqrt(Math.PI) * denominator);
}

/** erfc(z) = 1 − erf(z), to the relative precision of float64 in the right tail too. */
export function erfc(z: number): number {
  if (z >= TAIL) return erfcByFraction(z);
  if (z <= -TAIL) return 2 - erfcByFraction(-z);
  return 1 - erfBySeries(z);
}

/** Φ(x), the probability of at most x. */
export const normalProbability = (x: number): number => erfc(-x / Math.SQRT2) / 2;

/** φ(x), the density at x. */
export const normalDensity = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
