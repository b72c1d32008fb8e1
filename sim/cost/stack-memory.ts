/** What of a kernel's values takes memory with a stack, for the memory analysis. */
import type { Stack } from '../../src/hardware/index.js';
import type { MemoryOptions, MemoryUse, Op, Program, ValueId } from '../../src/program/index.js';
import { memoryUse } from '../../src/program/index.js';
import { unwrittenValues } from './pieces.js';
import { viewsOf, widenedOf } from './functions.js';
import { keptBeside } from './kept-beside.js';

/** The peak of memory over a step as a stack runs it. */
export const stepMemory = (program: Program, stack: Stack): MemoryUse =>
  memoryUse(program, memoryOptions(program, stack));

/** How a stack runs a program, as far as memory depends on it. */
export function memoryOptions(program: Program, stack: Stack): MemoryOptions {
  const { values } = program;
  const widened = widenedOf(program, stack.norms);
  const unwritten = (kernel: Op): ReadonlySet<ValueId> =>
    unwrittenValues(kernel.region!.ops, values, stack, new Set(kernel.results), widened);
  return { unwritten, views: viewsOf(stack), beside: keptBeside(program, stack) };
}
