/** Which ops a step's time goes to: all runs of each together. */
import type { Lane } from '../src/mesh/index.js';
import type { Phase, TransferName } from '../src/program/index.js';
import type { FlopsPerSecond } from '../src/units.js';
import { exposedTimes } from '../src/trace/index.js';
import { ticks, toSeconds } from './engine/index.js';
import type { Occurrence } from './folded.js';
import type { Machine } from './machine/index.js';
import type { AlgorithmName } from './network/index.js';
import type { CollectiveStep, KernelCategory, KernelStep } from './plan.js';
import { KERNEL_CATEGORIES } from './plan.js';

export interface KernelUse {
  readonly id: string;
  readonly phase: Phase;
  readonly runs: number;
  /** Of all runs, with what collectives beside them add. */
  readonly seconds: number;
  /** Of the step. */
  readonly share: number;
  /** What most of its time goes to. */
  readonly limitedBy: KernelCategory;
  /** Matmul FLOPs without padding; 0 where it has none. */
  readonly matmulFlopsPerSecond: number;
  /** Of the peak that MFU is counted by. */
  readonly peakFlopsShare: number;
  readonly memoryBytesPerSecond: number;
  /** Of the peak of the chip's memory. */
  readonly peakMemoryBandwidthShare: number;
}

export interface CollectiveUse {
  readonly id: string;
  readonly name: TransferName | 'host_update';
  readonly axis: Lane;
  readonly phase: Phase;
  readonly algorithm: AlgorithmName;
  readonly asynchronous: boolean;
  readonly runs: number;
  /** Of all runs. */
  readonly seconds: number;
  /** While no kernel runs, nor a collective that began before. */
  readonly exposedSeconds: number;
  /** Of the step: exposed. */
  readonly exposedShare: number;
  /** By a chip, in all runs. */
  readonly sentBytesPerChip: number;
}

export interface AxisUse {
  /** While a collective over the axis runs. */
  readonly busySeconds: number;
  readonly exposedSeconds: number;
  /** Beside kernels, the host, or a collective over another axis that began before. */
  readonly hiddenSeconds: number;
}

export interface OpUse {
  /** Longest first. */
  readonly kernels: readonly KernelUse[];
  /** Most exposed first. */
  readonly collectives: readonly CollectiveUse[];
  readonly communicationByAxis: Readonly<Partial<Record<Lane, AxisUse>>>;
}

/** @param peak of a chip, that MFU is counted by */
export function opUse(
  occurrences: readonly Occurrence[],
  stepSeconds: number,
  { chip }: Machine,
  peak: FlopsPerSecond,
): OpUse {
  const found = new Map<KernelStep | CollectiveStep, { ticks: number; exposed: number }>();
  const exposed = exposedTimes(occurrences.map(({ step, start, end }) => ({ kind: step.kind, start, end })));
  occurrences.forEach(({ step, start, end }, index) => {
    const entry = found.get(step) ?? { ticks: 0, exposed: 0 };
    entry.ticks += end - start;
    entry.exposed += exposed[index]!;
    found.set(step, entry);
  });
  const kernels: KernelUse[] = [];
  const collectives: CollectiveUse[] = [];
  for (const [step, entry] of found) {
    const { id, phase } = step.op;
    const seconds = toSeconds(ticks(entry.ticks));
    const common = { id, phase, runs: step.times, seconds };
    const exposedSeconds = toSeconds(ticks(entry.exposed));
    if (step.kind === 'collective') {
      const { name, axis, schedule, asynchronous, sentBytes, times } = step;
      collectives.push({
        ...common,
        name,
        axis,
        algorithm: schedule.algorithm,
        asynchronous,
        exposedSeconds,
        exposedShare: exposedSeconds / stepSeconds,
        sentBytesPerChip: sentBytes * times,
      });
      continue;
    }
    const rate = (amount: number): number => (seconds === 0 ? 0 : (amount * step.times) / seconds);
    const { byCategory, cost } = step;
    kernels.push({
      ...common,
      share: seconds / stepSeconds,
      limitedBy: KERNEL_CATEGORIES.reduce((most, one) => (byCategory[one] > byCategory[most] ? one : most)),
      matmulFlopsPerSecond: rate(cost.matmulFlops),
      peakFlopsShare: rate(cost.matmulFlops) / peak,
      memoryBytesPerSecond: rate(cost.memoryBytes),
      peakMemoryBandwidthShare: rate(cost.memoryBytes) / chip.memoryBandwidth.peak,
    });
  }
  return {
    kernels: kernels.sort((a, b) => b.seconds - a.seconds),
    collectives: collectives.sort((a, b) => b.exposedSeconds - a.exposedSeconds),
    communicationByAxis: byAxis(collectives),
  };
}

function byAxis(collectives: readonly CollectiveUse[]): OpUse['communicationByAxis'] {
  const found: Partial<Record<Lane, AxisUse>> = {};
  for (const { axis, seconds, exposedSeconds } of collectives) {
    const before = found[axis] ?? { busySeconds: 0, exposedSeconds: 0, hiddenSeconds: 0 };
    found[axis] = {
      busySeconds: before.busySeconds + seconds,
      exposedSeconds: before.exposedSeconds + exposedSeconds,
      // One by one: of one that is exposed all the time nothing is left of rounding.
      hiddenSeconds: before.hiddenSeconds + Math.max(0, seconds - exposedSeconds),
    };
  }
  return found;
}
