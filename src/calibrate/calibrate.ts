/**
 * Corrects a profile by what runs measured: measured and simulated steps are joined by span id, and rates, overheads,
 * latencies and bandwidths are fitted over the join. One correction a kind of work, none for a model or a plan.
 */
import { median } from 'simple-statistics';
import type { Hardware, MatmulDType, Stack } from '../hardware/index.js';
import { calibrateHardware, calibrateStack } from '../hardware/index.js';
import type { CollectiveName } from '../program/index.js';
import { isCollective } from '../program/index.js';
import { bytesPerSecond, flopsPerSecond, seconds } from '../units.js';
import type { KernelCost } from '../../sim/index.js';
import type { Profile } from './profile.js';
import { fitTransfers } from './profile.js';
import type { Observation } from './regression.js';
import { fitNonNegative } from './regression.js';

/** A measured span beside what the simulator knows of it. */
export interface EvidenceSpan {
  readonly measuredSeconds: number;
  /** Of a kernel: what it costs by the profile that is to be corrected. */
  readonly cost?: KernelCost;
  /** Of a collective: what a rank sent, and how many times it waited for its neighbour. */
  readonly transfer?: { readonly bytes: number; readonly messages: number };
}

/** One run: its spans and its step. */
export interface Evidence {
  readonly spans: readonly EvidenceSpan[];
  /** Steps that were timed. */
  readonly stepSeconds: readonly number[];
}

/** What moved, and by how much. */
export interface Correction {
  readonly what: string;
  /** New time over old, per unit of work. */
  readonly factor: number;
}

export interface Calibration extends Profile {
  readonly corrections: readonly Correction[];
}

/** How many times a rank of a ring of `size` waits for its neighbour. */
export function messagesOf(name: string, size: number): number {
  if (!isCollective(name as CollectiveName)) return 0;
  if (name === 'all_reduce') return 2 * (size - 1);
  return name === 'permute' ? 1 : size - 1;
}

interface Factors {
  readonly matmul: number;
  readonly elementwise: number;
  readonly overhead: number;
}

/** What a factor of 1 weighs, as a share of all evidence about it. */
const PRIOR_SHARE = 0.02;

/**
 * That the profile was right. Kernels that all mix the same kinds of work in the same shares cannot tell which of them
 * is off; then the factors stay together, near 1, where well-told ones hardly feel it.
 */
function priorsOf(observations: readonly Observation[]): Observation[] {
  const count = observations[0]!.features.length;
  return Array.from({ length: count }, (_, index) => {
    const evidence = observations.reduce((total, { features, weight }) => total + weight * features[index]! ** 2, 0);
    return {
      features: Array.from({ length: count }, (_, other) => (other === index ? 1 : 0)),
      target: 1,
      weight: PRIOR_SHARE * evidence,
    };
  });
}

/** How much more than one of its kernels a run's sum of all kernels counts: it is the step that is to be predicted. */
const SUM_WEIGHT = 30;

const kernelsOf = ({ spans }: Evidence): Observation[] =>
  spans.flatMap(({ cost, measuredSeconds }) =>
    cost === undefined || measuredSeconds <= 0
      ? []
      : [
          {
            features: [cost.matmulSeconds, cost.memorySeconds + cost.vectorSeconds, cost.overheadSeconds],
            target: measuredSeconds,
            // Noise grows with duration; this is between absolute errors, where few large kernels decide alone, and
            // relative ones, where many small kernels do that matter little to the step.
            weight: 1 / measuredSeconds,
          },
        ],
  );

function sumOf(kernels: readonly Observation[]): Observation {
  const target = kernels.reduce((total, kernel) => total + kernel.target, 0);
  const features = [0, 1, 2].map((index) => kernels.reduce((total, kernel) => total + kernel.features[index]!, 0));
  return { features, target, weight: SUM_WEIGHT / target };
}

/** A kind of work that no kernel has keeps its factor. */
function fitKernels(evidence: readonly Evidence[]): Factors {
  const runs = evidence.map(kernelsOf).filter((kernels) => kernels.length > 0);
  const observations = runs.flat();
  if (observations.length === 0) return { matmul: 1, elementwise: 1, overhead: 1 };
  const [matmul, elementwise, overhead] = fitNonNegative([
    ...observations,
    ...runs.map(sumOf),
    ...priorsOf(observations),
  ]);
  // A factor of zero would make work free: the kind could not be told from the others, and is left as it was.
  const kept = (factor: number | undefined) => (factor === undefined || factor <= 0 ? 1 : factor);
  return { matmul: kept(matmul), elementwise: kept(elementwise), overhead: kept(overhead) };
}

/** What a step takes beyond its spans. */
const restOf = ({ spans, stepSeconds }: Evidence): number =>
  Math.max(0, median([...stepSeconds]) - spans.reduce((total, { measuredSeconds }) => total + measuredSeconds, 0));

/**
 * @param source what was measured and when; every number that moves gets it
 * @returns the corrected profile; the peak, which MFU is relative to, stays
 */
export function calibrate(
  hardware: Hardware,
  stack: Stack,
  dtype: MatmulDType,
  evidence: readonly Evidence[],
  source: string,
): Calibration {
  const factors = fitKernels(evidence);
  const transfers = fitTransfers(
    evidence.flatMap(({ spans }) =>
      spans.flatMap(({ transfer, measuredSeconds }) =>
        transfer === undefined || measuredSeconds <= 0 ? [] : [{ ...transfer, seconds: measuredSeconds }],
      ),
    ),
  );
  const host = median(evidence.map(restOf));
  const { matmul, memoryBandwidth, vectorRate } = hardware.chip;
  const rate = matmul[dtype]!;
  const isShared = hardware.topology.kind === 'shared-memory';
  const found = {
    name: hardware.name,
    title: hardware.title,
    source,
    matmul: {
      [dtype]: {
        achievable: flopsPerSecond(rate.achievable / factors.matmul),
        points: rate.points.map((point) => ({ ...point, rate: flopsPerSecond(point.rate / factors.matmul) })),
      },
    },
    memoryBandwidth: bytesPerSecond(memoryBandwidth.achievable / factors.elementwise),
    vectorRate: flopsPerSecond(vectorRate / factors.elementwise),
    ...(isShared && transfers !== undefined
      ? {
          transferBandwidthPerChip: bytesPerSecond(1 / transfers.secondsPerByte),
          messageLatency: seconds(transfers.secondsPerMessage),
        }
      : {}),
  };
  const corrections = [
    { what: 'matmul', factor: factors.matmul },
    { what: 'elementwise', factor: factors.elementwise },
    { what: 'launch', factor: factors.overhead },
    ...(hardware.topology.kind === 'shared-memory' && transfers !== undefined
      ? [
          { what: 'transfer', factor: transfers.secondsPerByte * hardware.topology.transferPerChip.achievable },
          { what: 'message', factor: transfers.secondsPerMessage / hardware.topology.messageLatency },
        ]
      : []),
    { what: 'host', factor: host / stack.hostOverheadPerStep },
  ];
  return {
    hardware: calibrateHardware(hardware.document, found),
    stack: calibrateStack(stack.document, {
      name: stack.name,
      title: stack.title,
      source,
      kernelLaunchOverhead: seconds(stack.kernelLaunchOverhead * factors.overhead),
      opOverhead: seconds(stack.opOverhead * factors.overhead),
      hostOverheadPerStep: seconds(host),
    }),
    corrections,
  };
}
