/** Writing a run's state into a file. */
import type { DevicePool, HostTensor } from '../../runtime/index.js';
import { MeshwrightError } from '../../errors.js';
import { numbersOf } from '../../runtime/index.js';
import type { CheckpointMetadata } from './metadata.js';
import { formatMetadata } from './metadata.js';
import { writeSafetensors } from './safetensors.js';
import type { StateTensor } from './state-tensors.js';
import { gather } from './transfer.js';

export const firstNonfinite = (tensor: HostTensor): number | undefined => {
  const values = numbersOf(tensor);
  for (let index = 0; index < values.length; index++) if (!Number.isFinite(values[index]!)) return values[index];
  return undefined;
};

/**
 * @returns bytes of the file
 * @throws MeshwrightError LOSS_NOT_FINITE of state that nothing can go on from, RANK_FAILED
 */
export function saveState(
  path: string,
  pool: DevicePool,
  tensors: readonly StateTensor[],
  metadata: CheckpointMetadata,
): Promise<number> {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  return writeSafetensors(path, tensors, formatMetadata(metadata), async ({ name }) => {
    const whole = await gather(pool, byName.get(name)!);
    const wrong = firstNonfinite(whole);
    if (wrong !== undefined) {
      throw new MeshwrightError('LOSS_NOT_FINITE', {
        place: `step ${metadata.step}, ${name}`,
        expected: 'finite parameters and optimizer state to keep',
        got: String(wrong),
        hint: 'lower the learning rate or lengthen the warm-up',
      });
    }
    return whole;
  });
}
