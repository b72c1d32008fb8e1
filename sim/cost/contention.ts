/**
 * What collectives that run beside a kernel take from it: a share of the compute units, where they run on them, and
 * memory bandwidth. A kernel's matmul and vector time grows with the first, its memory time with the second, and it is
 * never done before its bytes are moved with what is left of the bandwidth.
 */
import type { Chip } from '../../src/hardware/index.js';
import type { Bytes, BytesPerSecond, Seconds } from '../../src/units.js';
import { bytesPerSecond, seconds } from '../../src/units.js';
import type { ComputeChip, KernelCost } from './kernel.js';

/** What a collective takes of its chip while it runs. */
export interface Load {
  /** Of the units that matmuls run on, 0 to 1. */
  readonly computeShare: number;
  readonly memoryBytesPerSecond: BytesPerSecond;
}

export const NO_LOAD: Load = { computeShare: 0, memoryBytesPerSecond: bytesPerSecond(0) };

/**
 * @param memoryBytes what it reads from and writes to the chip's memory
 * @param duration where nothing else is on its links
 * @param units of those that matmuls run on, which it takes
 */
export function collectiveLoad(
  memoryBytes: Bytes,
  duration: Seconds,
  chip: Chip,
  units: number = chip.collectiveUnits,
): Load {
  return {
    computeShare: units / chip.matrixUnit.units,
    memoryBytesPerSecond: bytesPerSecond(duration === 0 ? 0 : memoryBytes / duration),
  };
}

/**
 * Of collectives that run at once. Each has units of its own, but one is left to the kernel; of the memory bandwidth
 * the kernel has what they leave, and no less than an equal share (max-min fair, as on a link).
 */
export function joinLoads(loads: readonly Load[], { matrixUnit, memoryBandwidth: { achievable } }: Chip): Load {
  let computeShare = 0;
  let memory = 0;
  for (const load of loads) {
    computeShare += load.computeShare;
    memory += load.memoryBytesPerSecond;
  }
  return {
    computeShare: Math.min(computeShare, 1 - 1 / matrixUnit.units),
    memoryBytesPerSecond: bytesPerSecond(Math.min(memory, achievable * (loads.length / (loads.length + 1)))),
  };
}

/**
 * How much longer a kernel takes beside a load: 1 without one.
 *
 * With u the share of compute units and c the bandwidth that are taken from a chip with bandwidth B:
 * (matmul + vector) / (1 − u) + memory · B / (B − c) + overhead, and at least bytes / (B − c) + overhead.
 */
export function slowdown(cost: KernelCost, { chip, computeSlowdown }: ComputeChip, load: Load): number {
  const { computeShare, memoryBytesPerSecond: taken } = load;
  if (cost.seconds === 0 || (computeShare === 0 && taken === 0)) return 1;
  const bandwidth = chip.memoryBandwidth.achievable;
  const left = bandwidth - taken;
  const compute = (cost.matmulSeconds + cost.vectorSeconds) / (1 - computeShare);
  const memory = (cost.memorySeconds * bandwidth) / left;
  const moved = seconds((cost.memoryBytes * computeSlowdown) / left);
  return Math.max(1, (Math.max(compute + memory, moved) + cost.overheadSeconds) / cost.seconds);
}
