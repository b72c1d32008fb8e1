/** What of a kernel's values takes memory with a stack, for the memory analysis. */
import type { Stack } from '../../src/hardware/index.js';
import type { MemoryOptions, MemoryUse, Program } from '../../src/program/index.js';
import { memoryUse } from '../../src/program/index.js';
import { viewsOf } from './functions.js';
import { kernelsOf } from './known-kernels.js';
import { keptBeside } from './kept-beside.js';

const known = new WeakMap<Program, WeakMap<Stack, MemoryUse>>();

/** The peak of memory over a run of a program as a stack runs it, worked out once. */
export function stepMemory(program: Program, stack: Stack): MemoryUse {
  let byStack = known.get(program);
  if (byStack === undefined) known.set(program, (byStack = new WeakMap()));
  let found = byStack.get(stack);
  if (found === undefined) byStack.set(stack, (found = memoryUse(program, memoryOptions(program, stack))));
  return found;
}

/** How a stack runs a program, as far as memory depends on it. */
export function memoryOptions(program: Program, stack: Stack): MemoryOptions {
  const kernels = kernelsOf(program, stack);
  return {
    unwritten: (kernel) => kernels.unwritten(kernel),
    views: viewsOf(stack),
    beside: keptBeside(program, stack),
  };
}
