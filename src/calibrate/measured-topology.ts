/** How this machine's ranks slow each other and exchange, as its profile's topology. */
import { MeshwrightError } from '../errors.js';
import type { HardwareDocument } from '../hardware/index.js';
import { omit } from '../omit.js';
import type { RankMeasurements } from './blocks.js';
import type { Placed } from './placed-probes.js';
import type { Mark } from './quantities.js';
import { digits, gigabytes, microseconds, share } from './quantities.js';
import { contentionOf } from './slowdowns.js';
import type { TransferCosts } from './transfer-costs.js';
import { waitsOf } from './waits.js';

export function topologyOf(
  topology: HardwareDocument['topology'],
  all: readonly RankMeasurements[],
  placed: readonly Placed[],
  transfers: TransferCosts | undefined,
  cores: number,
  mark: Mark,
): HardwareDocument['topology'] {
  if (topology.kind !== 'shared-memory') {
    throw new MeshwrightError('HARDWARE_INVALID', {
      place: 'topology',
      expected: 'shared-memory, which is what ranks are measured on',
      got: topology.kind,
    });
  }
  const rest = omit(topology, 'contention', 'transfers', 'transferEfforts', 'waits', 'collectiveStart');
  const contention = contentionOf(all, placed, cores);
  const found = {
    ...rest,
    cores: { value: cores, ...mark },
    ...(contention.length === 0 ? {} : { contention: { ...mark, values: contention } }),
  };
  const waits = waitsOf(all, placed, cores);
  const first = transfers?.byRanks.find(({ perByte }) => perByte > 0);
  if (transfers === undefined || first === undefined) return found;
  const rate = { value: gigabytes(1 / first.perByte), ...mark, repeatability: share(first.repeatability) };
  const values = transfers.byRanks
    .filter(({ perByte }) => perByte > 0)
    .map(({ ranks, perByte, latency, repeatability }) => ({
      ranks,
      bandwidth: gigabytes(1 / perByte),
      latency: microseconds(latency),
      repeatability: share(repeatability),
    }));
  return {
    ...found,
    transferBandwidthPerChip: { peak: rate, achievable: rate },
    messageLatency: { value: microseconds(first.latency), ...mark, repeatability: share(first.repeatability) },
    collectiveStart: { value: microseconds(transfers.start), ...mark, repeatability: share(first.repeatability) },
    transfers: { ...mark, values },
    ...(waits.length === 0
      ? {}
      : {
          waits: {
            ...mark,
            values: waits.map(({ ranks, start, walk, repeatability }) => ({
              ranks,
              start: microseconds(start),
              walk: microseconds(walk),
              repeatability: share(repeatability),
            })),
          },
        }),
    transferEfforts: {
      ...mark,
      values: Object.entries(transfers.efforts).map(([collective, effort]) => ({
        collective: collective as 'permute',
        effort: digits(effort),
      })),
    },
  };
}
