/** How long a kernel for all of attention takes to compute, pure. */
import type { AttentionKernel, Chip, FusedAttention, Stack } from '../../src/hardware/index.js';
import type { Flops, FlopsPerSecond, Seconds } from '../../src/units.js';
import { flops, seconds } from '../../src/units.js';
import type { AttentionGroup } from './attention.js';
import { BLOCK } from './attention.js';

/** The kernel that a stack uses on a chip: the first of its own that the chip has rates of, or the chip's first. */
export function attentionKernelOf(
  { fusedAttention }: Pick<Chip, 'fusedAttention'>,
  { attentionKernels }: Pick<Stack, 'attentionKernels'>,
): FusedAttention | undefined {
  const names = Object.keys(fusedAttention ?? {}) as AttentionKernel[];
  const name = attentionKernels?.find((one) => names.includes(one)) ?? names[0];
  return name === undefined ? undefined : fusedAttention?.[name];
}

/** The width that a head is filled up to. */
const filled = (width: number, { headWidthMultiple: multiple }: FusedAttention): number =>
  Math.ceil(width / multiple) * multiple;

/** FLOPs of a matmul of such a kernel with the zeros that heads are filled up with. */
export const filledFlops = (executed: number, width: number, kernel: FusedAttention): Flops =>
  flops(executed * (filled(width, kernel) / width));

/**
 * Its time in a kernel whose softmax takes as long as more head width would: (width + softmaxWidth) / width times that of
 * its FLOPs at the kernel's rate.
 *
 * @param executed without zeros
 */
export function attentionMatmulTime(
  executed: number,
  width: number,
  backward: boolean,
  kernel: FusedAttention,
  peak: FlopsPerSecond,
): Seconds {
  const rate = (backward ? kernel.backward : kernel.forward) * peak;
  return seconds((filledFlops(executed, width, kernel) * (1 + kernel.softmaxWidth / filled(width, kernel))) / rate);
}

/**
 * What the whole kernel takes whose matmuls would take `matmuls` if all units shared them evenly. Units take blocks of
 * queries as they get free (Graham 1969): the last of them end, on the average, half a longest block after the first, and
 * none ends before a longest block has. Under a causal softmax the longest block meets all keys, the mean one `share`.
 */
export function attentionTime(
  matmuls: Seconds,
  { scores, columns, share }: AttentionGroup,
  { startLength }: FusedAttention,
  units: number,
): Seconds {
  const mean = share * columns;
  const busy = matmuls * ((mean + startLength) / mean);
  const blocks = Math.max(1, scores / columns / BLOCK);
  const longest = (((matmuls * units) / blocks) * (columns + startLength)) / mean;
  return seconds(Math.max(busy + longest / 2, longest));
}
