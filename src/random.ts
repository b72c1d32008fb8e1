/** Seeded random numbers (xoshiro128**): same keys, same numbers, on every machine. Not for secrets. */

export interface Random {
  /** Uniform in [0, 1), a multiple of 2⁻³². */
  next(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** A whole number, uniform in [0, end); `end` at most 2³². */
  below(end: number): number;
  /** Standard normal (mean 0, standard deviation 1). */
  normal(): number;
}

/** The finalizer of MurmurHash3: every input bit reaches every output bit. */
function mix(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const rotateLeft = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));

/**
 * A stream of random numbers named by its keys, so that a value can be drawn for (seed, epoch, sample) without
 * drawing those before it. Keys are safe integers; their order and count matter.
 */
export function createRandom(...keys: readonly number[]): Random {
  let hash = mix(keys.length);
  for (const key of keys) {
    hash = mix((hash + 0x9e3779b9) ^ key);
    hash = mix((hash + 0x9e3779b9) ^ Math.floor(key / 2 ** 32));
  }
  // Splitmix32 spreads the hash over the four words; at most one of them can be zero, so the state never is.
  const word = (): number => mix((hash = (hash + 0x9e3779b9) | 0));
  let [a, b, c, d] = [word(), word(), word(), word()];

  const next = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9);
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return (result >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (low, high) => low + (high - low) * next(),
    below: (end) => Math.floor(next() * end),
    // Box–Muller; 1 - u keeps the logarithm's argument above zero.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  };
}

/** A uniformly shuffled `[0, length)` (Fisher–Yates). */
export function permutation(length: number, random: Random): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  for (let last = length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    const kept = order[last]!;
    order[last] = order[other]!;
    order[other] = kept;
  }
  return order;
}
