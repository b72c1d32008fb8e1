/** What is not a program's to use: memory of the runtime, and buffers for each group of chips that communicates. */
import type { Chip, Stack } from '../src/hardware/index.js';
import type { Mesh } from '../src/mesh/index.js';
import { rankCount } from '../src/mesh/index.js';
import type { MemoryUse } from '../src/program/index.js';
import type { Bytes } from '../src/units.js';
import { bytes } from '../src/units.js';

/** Groups that a chip is in: along each axis that has several chips, and that of all of them. */
export function groupCount(mesh: Mesh): number {
  return rankCount(mesh) === 1 ? 0 : 1 + mesh.axes.filter(({ size }) => size > 1).length;
}

/** Stages that a stage of a pipeline exchanges with. */
export const peerCount = (mesh: Mesh): number =>
  Math.min(2, (mesh.axes.find(({ name }) => name === 'pipe')?.size ?? 1) - 1);

/** @param memory of the step's peak */
export function reservedMemory(
  { memoryCapacity }: Pick<Chip, 'memoryCapacity'>,
  { reservedMemoryFraction, reservedMemory: kept }: Pick<Stack, 'reservedMemoryFraction' | 'reservedMemory'>,
  mesh: Mesh,
  { byRole }: { readonly byRole: Readonly<Partial<MemoryUse['byRole']>> },
): Bytes {
  const named =
    kept === undefined
      ? 0
      : kept.runtime +
        groupCount(mesh) * kept.perGroup +
        peerCount(mesh) * kept.perPeer +
        kept.fragmentation * (byRole.activation ?? 0);
  return bytes(memoryCapacity * reservedMemoryFraction + named);
}
