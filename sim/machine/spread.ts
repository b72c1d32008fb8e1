/** Chips of one kind that are not equally fast, of which a step takes as long as on the slowest. */
import { probit } from 'simple-statistics';

/**
 * How many times as long the slowest of some chips is expected to take as the mean one: 1 + spread · z, with z the expected
 * largest of as many standard normal numbers (Blom 1958: Φ⁻¹((n − 3/8) / (n + 1/4))).
 *
 * @param spread the standard deviation of their times, of the mean
 */
export const slowestOf = (chips: number, spread: number): number =>
  spread === 0 || chips === 1 ? 1 : 1 + spread * probit((chips - 0.375) / (chips + 0.25));
