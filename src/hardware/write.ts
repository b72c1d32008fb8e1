/** New profiles from measurements: calibrated numbers put into a document, and documents as YAML. */
import { stringify } from 'yaml';
import { MeshwrightError } from '../errors.js';
import type { BytesPerSecond, FlopsPerSecond, Seconds } from '../units.js';
import type { HardwareDocument, MatmulField, StackDocument } from './schema.js';
import type { MatmulDType } from './names.js';
import type { MatmulPoint } from './types.js';

export interface CalibratedMatmul {
  readonly achievable: FlopsPerSecond;
  readonly points: readonly MatmulPoint[];
  /** A machine's first measurement, which MFU is relative to from then on. */
  readonly firstPeak?: FlopsPerSecond;
}

/** What a calibration found; what is absent stays as it was. */
export interface CalibratedHardware {
  readonly name: string;
  readonly title: string;
  /** What was measured, when, and how: it becomes the source of every number below. */
  readonly source: string;
  readonly matmul?: Readonly<Partial<Record<MatmulDType, CalibratedMatmul>>>;
  readonly memoryBandwidth?: BytesPerSecond;
  readonly vectorRate?: FlopsPerSecond;
  /** Shared-memory machines only. */
  readonly transferBandwidthPerChip?: BytesPerSecond;
  readonly messageLatency?: Seconds;
  readonly busyCoreRateFraction?: number;
}

/** What a calibration found about a software stack. */
export interface CalibratedStack {
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly kernelLaunchOverhead?: Seconds;
  readonly opOverhead?: Seconds;
  readonly hostOverheadPerStep?: Seconds;
}

const digits = (value: number): number => Number(value.toPrecision(6));
const asRate = (value: number, unit: 'GFLOP/s' | 'GB/s'): string => `${digits(value / 1e9)} ${unit}`;
const asTime = (value: Seconds): string => `${digits(value * 1e6)} us`;

/** The peak stays, once it is measured: MFU is relative to it and must not move when calibration does. */
export function calibrateHardware(document: HardwareDocument, found: CalibratedHardware): HardwareDocument {
  const mark = { source: found.source, status: 'calibrated' as const };
  const { memory, matmul } = document.chip;
  const matmuls: Partial<Record<MatmulDType, MatmulField>> = {};
  for (const [dtype, { achievable, points, firstPeak }] of Object.entries(found.matmul ?? {}) as [
    MatmulDType,
    CalibratedMatmul,
  ][]) {
    const before = matmul[dtype];
    if (before === undefined) {
      throw new MeshwrightError('DTYPE_UNSUPPORTED', {
        place: `${document.name}, chip.matmul`,
        expected: Object.keys(matmul).join(', '),
        got: dtype,
      });
    }
    const values = points.map(({ batch, m, n, k, rate }) => ({ batch, m, n, k, rate: asRate(rate, 'GFLOP/s') }));
    matmuls[dtype] = {
      peak:
        firstPeak === undefined ? before.peak : { value: asRate(firstPeak, 'GFLOP/s'), ...mark, status: 'measured' },
      achievable: { value: asRate(achievable, 'GFLOP/s'), ...mark },
      ...(values.length > 0 ? { points: { ...mark, values } } : {}),
    };
  }
  // A machine's own first measurement takes the place of the one that the profile was shipped with.
  const isFirst = Object.values(found.matmul ?? {}).some(({ firstPeak }) => firstPeak !== undefined);
  const chip = {
    ...document.chip,
    matmul: { ...matmul, ...matmuls },
    ...(found.memoryBandwidth === undefined
      ? {}
      : {
          memory: {
            ...memory,
            bandwidth: { ...memory.bandwidth, achievable: { value: asRate(found.memoryBandwidth, 'GB/s'), ...mark } },
          },
        }),
    ...(found.vectorRate === undefined ? {} : { vectorRate: { value: asRate(found.vectorRate, 'GFLOP/s'), ...mark } }),
  };
  return {
    ...document,
    name: found.name,
    title: found.title,
    chip: isFirst ? { ...chip, peakVersion: (document.chip.peakVersion ?? 0) + 1 } : chip,
    topology: calibrateTopology(document, found, mark),
  };
}

function calibrateTopology(
  { name, topology }: HardwareDocument,
  found: CalibratedHardware,
  mark: { readonly source: string; readonly status: 'calibrated' },
): HardwareDocument['topology'] {
  const { transferBandwidthPerChip: transfer, messageLatency: latency, busyCoreRateFraction: busy } = found;
  if (transfer === undefined && latency === undefined && busy === undefined) return topology;
  if (topology.kind !== 'shared-memory') {
    throw new MeshwrightError('HARDWARE_INVALID', {
      place: `${name}, topology`,
      expected: 'shared-memory, which is what transfers are measured on',
      got: topology.kind,
    });
  }
  // A transfer's peak is a first measurement too, so it gives way when it is beaten.
  const rate = { value: asRate(transfer ?? 0, 'GB/s'), ...mark };
  return {
    ...topology,
    ...(transfer === undefined ? {} : { transferBandwidthPerChip: { peak: rate, achievable: rate } }),
    ...(latency === undefined ? {} : { messageLatency: { value: asTime(latency), ...mark } }),
    ...(busy === undefined ? {} : { busyCoreRateFraction: { value: digits(busy), ...mark } }),
  };
}

export function calibrateStack(document: StackDocument, found: CalibratedStack): StackDocument {
  const time = (value: Seconds) => ({ value: asTime(value), source: found.source, status: 'calibrated' as const });
  const { kernelLaunchOverhead: launch, opOverhead: op, hostOverheadPerStep: host } = found;
  return {
    ...document,
    name: found.name,
    title: found.title,
    ...(launch === undefined ? {} : { kernelLaunchOverhead: time(launch) }),
    ...(op === undefined ? {} : { opOverhead: time(op) }),
    ...(host === undefined ? {} : { hostOverheadPerStep: time(host) }),
  };
}

/** A profile as the text of its file. */
export const formatProfile = (document: HardwareDocument | StackDocument): string =>
  stringify(document, { lineWidth: 120, aliasDuplicateObjects: false });
