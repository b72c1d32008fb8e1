/**
 * What would make a simulated step shorter, as far as its own figures show: parts of the step that a plan's options are
 * known to act on, each with its share of the step, which is the most that can be saved.
 */
import type { Details } from '../../sim/index.js';
import type { AxisName } from '../mesh/index.js';
import { axisSize } from '../mesh/index.js';
import type { Plan } from '../job/index.js';
import { bytes, formatBytes, formatPercent } from '../units.js';
import type { JobSimulation } from './assess.js';

export interface Advice {
  /** Of the step: the most that it can save; null for what has to be done for the step to run at all. */
  readonly share: number | null;
  readonly what: string;
  /** An option to try, or what to change. */
  readonly change: string;
}

/** Less is not worth a word. */
const LEAST_SHARE = 0.03;

function forMemory(simulation: JobSimulation): Advice[] {
  const { fits, peakMemoryBytesPerChip, memoryCapacityBytesPerChip, reservedMemoryBytesPerChip } = simulation;
  if (fits) return [];
  const over = peakMemoryBytesPerChip - (memoryCapacityBytesPerChip - reservedMemoryBytesPerChip);
  const [largest] = Object.entries(simulation.memoryBytesByRole).reduce((a, b) => (b[1] > a[1] ? b : a));
  const change =
    largest === 'activation' ? 'more --microbatches, or --rematerialize' : '--shard parameters, or a larger model axis';
  return [{ share: null, what: `${formatBytes(bytes(over))} too much memory, most of it ${largest}`, change }];
}

function changeFor(axis: AxisName, plan: Plan, ids: readonly string[]): string {
  if (axis === 'model')
    return plan.linears === 'synchronous'
      ? axisSize(plan.mesh, 'model') > 2
        ? '--linears bidirectional'
        : '--linears ring'
      : 'a smaller model axis';
  const gathers = ids.some((id) => id.startsWith('gather-parameters'));
  if (gathers && plan.shard === 'parameters' && plan.prefetch === 0) return '--prefetch 1';
  if (!plan.overlapGradients) return '--overlap-gradients true';
  if (gathers && plan.shard === 'parameters' && plan.microbatches > 1)
    return 'fewer --microbatches, each of which gathers again';
  return 'a larger batch a step, which sends no more';
}

function forCommunication(plan: Plan, simulation: JobSimulation, { details }: Details): Advice[] {
  return Object.entries(simulation.exposedCommunicationByAxisSeconds).map(([name, exposed = 0]) => {
    const axis = name as AxisName;
    const ids = (details?.collectives ?? []).filter((one) => one.axis === axis && one.exposedSeconds > 0);
    const share = exposed / simulation.stepTimeSeconds;
    const most = ids[0] ? `, most in ${ids[0].id}` : '';
    return {
      share,
      what: `exposed ${axis}-axis communication is ${formatPercent(share, 0)} of the step${most}`,
      change: changeFor(
        axis,
        plan,
        ids.map(({ id }) => id),
      ),
    };
  });
}

function forCompute(plan: Plan, simulation: JobSimulation): Advice[] {
  const { stepTimeSeconds, timeByCategorySeconds: time, mfu, hfu } = simulation;
  const part = (seconds: number, what: string, change: string): Advice => {
    const share = seconds / stepTimeSeconds;
    return { share, what: `${what} ${formatPercent(share, 0)} of the step`, change };
  };
  const found = [
    part(time.overhead, 'launching kernels takes', plan.microbatches > 1 ? 'fewer --microbatches' : 'a larger batch'),
    part(time.optimizer, 'the update takes', plan.shard === 'none' ? '--shard optimizer' : 'a larger batch a step'),
    part(time.contention, 'collectives slow kernels down by', 'fewer bytes sent beside them: a smaller model axis'),
    part(time.idle, 'chips idle for', 'more --microbatches'),
  ];
  if (plan.rematerialize !== 'none' && hfu > mfu)
    found.push(part(time.matmul * (1 - mfu / hfu), 'recomputing takes', 'less of --rematerialize, if memory allows'));
  return found;
}

/** The most first. */
export function adviceOn(plan: Plan, simulation: JobSimulation, details: Details): Advice[] {
  const worthwhile = [...forCommunication(plan, simulation, details), ...forCompute(plan, simulation)]
    .filter(({ share }) => (share ?? 1) >= LEAST_SHARE)
    .sort((a, b) => (b.share ?? 1) - (a.share ?? 1));
  return [...forMemory(simulation), ...worthwhile];
}
