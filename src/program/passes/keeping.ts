/** What software keeps for a backward pass though it could be made again from something else without arithmetic. */
import type { Op, ValueId } from '../types.js';

export interface Keeping {
  /** Whether activations are kept in each type that they are read in; otherwise they are cast again. */
  readonly casts: boolean;
  /** Whether activations that were gathered are kept whole; otherwise their shards are, and are gathered again. */
  readonly gathers: boolean;
  /** Ops whose results are views of their operand's memory, which then is what is kept. */
  readonly views: ReadonlySet<string>;
  /** Whether a layer that is made again runs as a whole, ops included that nothing needs again, such as its last matmul. */
  readonly replays: boolean;
  /** Whether what comes before and after layers that are made again is made again with them, up to the loss. */
  readonly modules: boolean;
}

/** As compilers and Megatron-LM do. */
export const KEEP_LEAST: Keeping = { casts: false, gathers: false, views: new Set(), replays: false, modules: false };

/**
 * Whether an op's result is made again rather than kept in any case. Parameters are there anyway, so that what is
 * gathered or cast of them always is.
 */
export function isMadeAgain({ name, operands }: Op, keeping: Keeping, isThere: (value: ValueId) => boolean): boolean {
  if (keeping.views.has(name)) return true;
  if (name === 'all_gather') return !keeping.gathers || operands.some(isThere);
  return name === 'cast' && (!keeping.casts || operands.some(isThere));
}
