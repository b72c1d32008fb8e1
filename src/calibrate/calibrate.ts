/**
 * Corrects a profile by what runs measured: measured and simulated steps are joined by span id, and rates, overheads,
 * latencies and bandwidths are fitted over the join. One correction a kind of work, none for a model or a plan.
 */
import { median } from 'simple-statistics';
import type {
  CollectiveKind,
  Hardware,
  MatmulDType,
  MatmulRate,
  SharedMemoryTopology,
  Stack,
} from '../hardware/index.js';
import { calibrateHardware, calibrateStack } from '../hardware/index.js';
import type { CollectiveName } from '../program/index.js';
import { isCollective } from '../program/index.js';
import { bytesPerSecond, flopsPerSecond, seconds } from '../units.js';
import type { KernelCost } from '../../sim/index.js';
import type { Profile, Transfers } from './profile.js';
import type { Observation } from './regression.js';
import { fitNonNegative } from './regression.js';

/** A measured span beside what the simulator knows of it. */
export interface EvidenceSpan {
  /** What it added to the step, all its runs: of a collective, what no kernel hid. */
  readonly exposedSeconds: number;
  /** Of a kernel: what it costs by the profile that is to be corrected. */
  readonly cost?: Pick<KernelCost, 'matmulSeconds' | 'memorySeconds' | 'vectorSeconds' | 'overheadSeconds'>;
  /** Of a collective: what a rank sent, how many times it waits for its neighbour, and whether kernels may run meanwhile. */
  readonly transfer?: {
    readonly name: CollectiveKind;
    readonly bytes: number;
    readonly messages: number;
    /** As the program has it; whether it then runs beside kernels is the stack's. */
    readonly asynchronous: boolean;
  };
}

/** One run: its spans and its step. */
export interface Evidence {
  /** Whether a rank also waits for other stages between its spans: then these say nothing of the host. */
  readonly waitsForStages?: boolean;
  readonly spans: readonly EvidenceSpan[];
  /** Steps that were timed. */
  readonly stepSeconds: readonly number[];
}

/** What moved, and by how much. */
export interface Correction {
  readonly what: string;
  /** New time over old, per unit of work; null where the old one was zero. */
  readonly factor: number | null;
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
  /** Ops that wait for memory, and those that wait for arithmetic. */
  readonly memory: number;
  readonly vector: number;
  readonly overhead: number;
}

/** What it weighs that a kind of work is off by as much as all work together, as a share of the evidence about it. */
const PRIOR_SHARE = 0.02;
/** No kind is off by a smaller share than this of what all work together is. */
const LEAST_SHARE = 0.25;

/** By how much all kernels together took longer than predicted. */
function commonFactor(observations: readonly Observation[]): number {
  const predicted = observations.reduce(
    (total, { features }) => total + features.reduce((sum, one) => sum + one, 0),
    0,
  );
  return observations.reduce((total, { target }) => total + target, 0) / predicted;
}

/**
 * That a machine which is slower than its profile is so at everything. Spans that all mix the same kinds of work in
 * the same shares cannot tell which of them is off; then all are off alike, where well-told ones hardly feel it.
 *
 * @param expected what each coefficient is then
 */
function priorsOf(observations: readonly Observation[], expected: readonly number[]): Observation[] {
  return expected.map((target, kind) => ({
    features: expected.map((_, other) => (other === kind ? 1 : 0)),
    target,
    weight:
      PRIOR_SHARE * observations.reduce((total, { features, weight }) => total + weight * features[kind]! ** 2, 0),
  }));
}

/**
 * How much more than one of its kernels a run's sum of all kernels counts, and so of collectives: it is the step that is
 * to be predicted.
 */
const SUM_WEIGHT = 30;

const kernelsOf = ({ spans }: Evidence): Observation[] =>
  spans.flatMap(({ cost, exposedSeconds }) =>
    cost === undefined || exposedSeconds <= 0
      ? []
      : [
          {
            features: [cost.matmulSeconds, cost.memorySeconds, cost.vectorSeconds, cost.overheadSeconds],
            target: exposedSeconds,
            // Noise grows with duration; this is between absolute errors, where few large kernels decide alone, and
            // relative ones, where many small kernels do that matter little to the step.
            weight: 1 / exposedSeconds,
          },
        ],
  );

function sumOf(kernels: readonly Observation[]): Observation {
  const target = kernels.reduce((total, kernel) => total + kernel.target, 0);
  const features = [0, 1, 2, 3].map((index) => kernels.reduce((total, kernel) => total + kernel.features[index]!, 0));
  return { features, target, weight: SUM_WEIGHT / target };
}

/** New time over old of each kind of work. */
function fitKernels(evidence: readonly Evidence[], rate: MatmulRate): Factors {
  const runs = evidence.map(kernelsOf).filter((kernels) => kernels.length > 0);
  const observations = runs.flat();
  if (observations.length === 0) return { matmul: 1, memory: 1, vector: 1, overhead: 1 };
  const common = commonFactor(observations);
  // And no matmul runs faster than the chip's peak.
  const fastest = Math.max(rate.achievable, ...rate.points.map((point) => point.rate));
  const few = LEAST_SHARE * common;
  const least = [Math.max(few, fastest / rate.peak), few, few, few];
  const all = [...observations, ...runs.map(sumOf), ...priorsOf(observations, [common, common, common, common])];
  // What is fitted is how much more than the least a factor is, which can't be negative.
  const [matmul, memory, vector, overhead] = fitNonNegative(
    all.map(({ features, target, weight }) => ({
      features,
      target: target - features.reduce((total, one, kind) => total + least[kind]! * one, 0),
      weight,
    })),
  ).map((more, kind) => least[kind]! + more) as [number, number, number, number];
  return { matmul, memory, vector, overhead };
}

/**
 * Latency and bandwidth of copies between the ranks of one machine. A collective that is waited for at once tells how
 * long one takes. An asynchronous one does not: from its start to its end it also waits for kernels, and what is exposed
 * of it may be another's wait for the slower rank. But a stack that overlaps nothing spends what all of a run send, which
 * is what their exposed times add up to.
 */
function fitCopies(
  evidence: readonly Evidence[],
  { messageLatency, transferPerChip }: SharedMemoryTopology,
  { asynchronous: beside }: Stack,
): Transfers | undefined {
  const runs = evidence.map(({ spans }) =>
    spans.flatMap(({ transfer, exposedSeconds }) =>
      transfer === undefined || (transfer.asynchronous && beside.includes(transfer.name))
        ? []
        : [{ ...transfer, features: [transfer.messages, transfer.bytes], target: exposedSeconds }],
    ),
  );
  const weighed = (collectives: readonly Omit<Observation, 'weight'>[], by: number): Observation[] =>
    collectives
      .filter(({ target }) => target > 0)
      // Relative errors count, so that small messages weigh as much as large ones.
      .map(({ features, target }) => ({ features, target, weight: by / target ** 2 }));
  const sums = runs.map((run) => ({
    features: [0, 1].map((index) => run.reduce((total, { features }) => total + features[index]!, 0)),
    target: run.reduce((total, { target }) => total + target, 0),
  }));
  const waitedFor = runs.flat().filter(({ asynchronous }) => !asynchronous);
  const observations = [...weighed(waitedFor, 1), ...weighed(sums, SUM_WEIGHT)];
  if (observations.length === 0) return undefined;
  const before = [messageLatency, 1 / transferPerChip.achievable];
  const predicted = observations.map((one) => ({
    ...one,
    features: one.features.map((feature, index) => feature * before[index]!),
  }));
  const common = commonFactor(predicted);
  const expected = before.map((value) => common * value);
  const [secondsPerMessage, secondsPerByte] = fitNonNegative([
    ...observations,
    ...priorsOf(observations, expected),
  ]) as [number, number];
  return secondsPerByte > 0 ? { secondsPerMessage, secondsPerByte } : undefined;
}

/** New time over old; null where the old one was zero. */
const factorOf = (found: number, before: number): number | null => (before === 0 ? null : found / before);

/** What a step takes beyond its spans. */
const restOf = ({ spans, stepSeconds }: Evidence): number =>
  Math.max(0, median([...stepSeconds]) - spans.reduce((total, { exposedSeconds }) => total + exposedSeconds, 0));

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
  const { topology } = hardware;
  const transfers = topology.kind === 'shared-memory' ? fitCopies(evidence, topology, stack) : undefined;
  const rests = evidence.filter(({ waitsForStages = false }) => !waitsForStages).map(restOf);
  const host = rests.length === 0 ? stack.hostOverheadPerStep : median(rests);
  const { matmul, memoryBandwidth, vectorRate } = hardware.chip;
  const rate = matmul[dtype]!;
  const factors = fitKernels(evidence, rate);
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
    memoryBandwidth: bytesPerSecond(memoryBandwidth.achievable / factors.memory),
    vectorRate: flopsPerSecond(vectorRate / factors.vector),
    ...(transfers === undefined
      ? {}
      : {
          transferBandwidthPerChip: bytesPerSecond(1 / transfers.secondsPerByte),
          messageLatency: seconds(transfers.secondsPerMessage),
        }),
  };
  const corrections = [
    { what: 'matmul', factor: factors.matmul },
    { what: 'memory', factor: factors.memory },
    { what: 'vector', factor: factors.vector },
    { what: 'launch', factor: factors.overhead },
    ...(topology.kind === 'shared-memory' && transfers !== undefined
      ? [
          { what: 'transfer', factor: transfers.secondsPerByte * topology.transferPerChip.achievable },
          { what: 'message', factor: factorOf(transfers.secondsPerMessage, topology.messageLatency) },
        ]
      : []),
    { what: 'host', factor: factorOf(host, stack.hostOverheadPerStep) },
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
