/** What of a kernel's values takes memory with a stack, for the memory analysis. */
import type { Stack } from '../../src/hardware/index.js';
import type { MemoryOptions, MemoryUse, Program } from '../../src/program/index.js';
import { memoryUse } from '../../src/program/index.js';
import { viewsOf } from './functions.js';
import { kernelsOf } from './known-kernels.js';
import { keptBeside } from './kept-beside.js';

/** The peak of memory over a step as a stack runs it. */
export const stepMemory = (program: Program, stack: Stack): MemoryUse =>
  memoryUse(program, memoryOptions(program, stack));

/** How a stack runs a program, as far as memory depends on it. */
export function memoryOptions(program: Program, stack: Stack): MemoryOptions {
  const kernels = kernelsOf(program, stack);
  return {
    unwritten: (kernel) => kernels.unwritten(kernel),
    views: viewsOf(stack),
    beside: keptBeside(program, stack),
  };
}
