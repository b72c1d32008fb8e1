/** Seeded random numbers for drawing samples anew: the same fit gives the same intervals. */

/** Uniform in [0, 1): a counter through MurmurHash3's finalizer. */
export function createRandomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let word = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
    return ((word ^ (word >>> 16)) >>> 0) / 2 ** 32;
  };
}
