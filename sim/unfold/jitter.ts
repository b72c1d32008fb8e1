/**
 * How much longer or shorter each run of a kernel takes: log-normal factors with mean 1. Each is a hash of the seed, the
 * chip and the instruction, so that it doesn't depend on what happens when.
 */
export interface Jitter {
  /** Standard deviation over mean. */
  readonly coefficientOfVariation: number;
  readonly seed: number;
}

/** The finalizer of MurmurHash3: every input bit reaches every output bit. */
function mix(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A step from one word of splitmix32 to the next. */
const STEP = 0x9e3779b9;
/** Uniform in (0, 1). */
const uniform = (word: number): number => ((word >>> 0) + 0.5) / 2 ** 32;

/** @returns the factor of an instruction on a chip; always 1 where nothing varies */
export function jitterFactors({ coefficientOfVariation, seed }: Jitter): (chip: number, instruction: number) => number {
  if (coefficientOfVariation === 0) return () => 1;
  // Of the underlying normal distribution, so that the factor has mean 1 and the variation asked for.
  const variance = Math.log(1 + coefficientOfVariation ** 2);
  const deviation = Math.sqrt(variance);
  const start = mix(mix(seed + STEP) ^ Math.floor(seed / 2 ** 32));
  return (chip, instruction) => {
    const key = mix((mix((start + STEP) ^ chip) + STEP) ^ instruction);
    // Box–Muller.
    const radius = Math.sqrt(-2 * Math.log(uniform(mix(key + STEP))));
    const normal = radius * Math.cos(2 * Math.PI * uniform(mix(key + 2 * STEP)));
    return Math.exp(deviation * normal - variance / 2);
  };
}
