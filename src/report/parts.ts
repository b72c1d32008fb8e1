/** What a kernel's time is made of. Also part of the page's script, so it imports nothing. */

/** What of it is what, in seconds or in whatever time is counted. */
export type Parts<C> = readonly (readonly [category: C, time: number])[];

/** Less is rounding. */
const LEAST = 1e-6;

/**
 * Of a kernel that took `length` what went into each of its parts. What it took longer than they do is `rest`; where it
 * took less, or where parts only say in what proportion they are, they are made to add up to it.
 */
export function eachPart<C>(
  parts: Parts<C>,
  length: number,
  rest: C | undefined,
  visit: (category: C, time: number) => void,
): void {
  const whole = parts.reduce((total, [, time]) => total + time, 0);
  const isScaled = rest === undefined || length < whole;
  for (const [category, time] of parts) visit(category, isScaled ? (whole === 0 ? 0 : (time / whole) * length) : time);
  if (!isScaled && length - whole > LEAST * length) visit(rest, length - whole);
}
