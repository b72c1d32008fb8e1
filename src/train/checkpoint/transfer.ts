/** Whole tensors from the ranks and back to them, one at a time. */
import type { DevicePool, HostTensor } from '../../runtime/index.js';
import { cutShard, dtypeOf, holders, joinShards, numbersOf, stored } from '../../runtime/index.js';
import { rankCount } from '../../mesh/index.js';
import type { StateTensor } from './state-tensors.js';

export async function gather(
  pool: Pick<DevicePool, 'readElement'>,
  { places: [place] }: StateTensor,
): Promise<HostTensor> {
  const { mesh, firstRank, key, element, type, segments } = place;
  const ranks = holders(mesh, type).map((rank) => firstRank + rank);
  return joinShards(mesh, await pool.readElement(ranks, key, element), type, segments);
}

/** @param whole of the tensor's shape; rounded where the ranks keep it in another type */
export async function spread(
  pool: Pick<DevicePool, 'writeElement'>,
  { places }: StateTensor,
  whole: HostTensor,
): Promise<void> {
  for (const { mesh, firstRank, key, element, type, segments } of places) {
    const values = dtypeOf(whole) === type.dtype ? whole : stored(type.dtype, numbersOf(whole));
    const ranks = Array.from({ length: rankCount(mesh) }, (_, rank) => rank);
    await pool.writeElement(
      ranks.map((rank) => firstRank + rank),
      key,
      element,
      ranks.map((rank) => cutShard(mesh, rank, values, type, segments)),
    );
  }
}
