/** What takes a tensor's parts or orders its dimensions anew, where a stack's tensors have strides: it moves nothing. */
import type { Stack } from '../../src/hardware/index.js';
import type { ComputeName } from '../../src/program/index.js';

const RESHAPES: ReadonlySet<string> = new Set<ComputeName>(['split', 'split_heads']);
/** A fused kernel writes its result as it is wanted; a batched matmul writes head after head, to be copied. */
const AFTER_FUSED_ATTENTION: ReadonlySet<string> = new Set<ComputeName>(['split', 'split_heads', 'merge_heads']);
const NONE: ReadonlySet<string> = new Set();

/** Ops whose results are views of their operand's memory. */
export function viewsOf({ reshapes, attention }: Pick<Stack, 'reshapes' | 'attention'>): ReadonlySet<string> {
  if (reshapes === 'copies') return NONE;
  return attention === 'fused' ? AFTER_FUSED_ATTENTION : RESHAPES;
}
