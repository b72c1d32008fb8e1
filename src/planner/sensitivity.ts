/** What a step would take if one thing were different: the machine, the batch, one option of the plan. */
import type { RateName } from '../hardware/index.js';
import { RATE_NAMES } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import { formatPlan } from '../job/index.js';
import { flippedPlans } from './flips.js';
import type { Assess, StepFigures } from './variation.js';
import { onScaledHardware, planDifference, unlessRefused, withOptions } from './variation.js';

export interface Sensitivity {
  /** `2 × link bandwidth`, `batch 2048`, `linears=ring` */
  readonly change: string;
  readonly stepTimeSeconds: number;
  readonly peakMemoryBytesPerChip: number;
  readonly fits: boolean;
  /** Examples a second, over those before, less 1; above 0 is faster. */
  readonly faster: number;
  /** The plan that is meant, where it is another than the job's. */
  readonly plan?: string;
}

export interface Sensitivities {
  readonly machine: readonly Sensitivity[];
  readonly batch: readonly Sensitivity[];
  /** Of all that can be had, fastest first; those that don't fit come last. */
  readonly options: readonly Sensitivity[];
}

const MACHINE: readonly RateName[] = ['compute', 'memoryBandwidth', 'links', 'network', 'hostLink'];

/** @param base the job's own figures */
export function sensitivities(job: Job, base: StepFigures, assess: Assess): Sensitivities {
  const rate = (batch: number, { stepTimeSeconds }: StepFigures): number => batch / stepTimeSeconds;
  const row = (change: string, varied: Job, figures: StepFigures): Sensitivity => ({
    change,
    stepTimeSeconds: figures.stepTimeSeconds,
    peakMemoryBytesPerChip: figures.peakMemoryBytesPerChip,
    fits: figures.fits,
    faster: rate(varied.batch, figures) / rate(job.batch, base) - 1,
    ...(formatPlan(varied.plan) === formatPlan(job.plan) ? {} : { plan: formatPlan(varied.plan) }),
  });
  const assessed = (jobs: readonly Job[]): { readonly job: Job; readonly figures: StepFigures }[] =>
    jobs.flatMap((one) => {
      const figures = unlessRefused(() => assess(one));
      return figures === undefined ? [] : [{ job: one, figures }];
    });
  const flips = assessed(flippedPlans(job));

  const machine = MACHINE.flatMap((name) => {
    const [found] = assessed([onScaledHardware(job, { [name]: 2 })]);
    // A machine without such a thing is as fast as before.
    if (found === undefined || (name === 'network' && !hasNetwork(job)) || (name === 'hostLink' && !usesHost(job)))
      return [];
    return [row(`2 × ${RATE_NAMES[name]}`, found.job, found.figures)];
  });

  return {
    machine: [...machine, ...moreMemory()],
    batch: [2, 0.5].flatMap(otherBatch),
    options: flips
      .map(({ job: one, figures }) => row(planDifference(job.plan, one.plan), one, figures))
      .sort((a, b) => Number(b.fits) - Number(a.fits) || b.faster - a.faster),
  };

  /** More memory makes nothing faster by itself: it lets plans be had that don't fit now. */
  function moreMemory(): Sensitivity[] {
    const roomy = onScaledHardware(job, { memoryCapacity: 2 });
    const { memoryCapacityBytesPerChip: capacity, reservedMemoryBytesPerChip: reserved } = base;
    const newly = flips.filter(
      ({ figures }) => !figures.fits && figures.peakMemoryBytesPerChip <= 2 * capacity - reserved,
    );
    const best = newly.reduce<(typeof newly)[number] | undefined>(
      (least, one) => (one.figures.stepTimeSeconds < (least?.figures ?? base).stepTimeSeconds ? one : least),
      undefined,
    );
    if (best === undefined) return [row('2 × memory', job, { ...base, fits: true })];
    const [found] = assessed([{ ...best.job, hardware: roomy.hardware, hardwareName: roomy.hardwareName }]);
    return found === undefined ? [] : [row('2 × memory', found.job, found.figures)];
  }

  /** With as many microbatches, larger ones, or with more of the same; whichever is faster and fits. */
  function otherBatch(factor: number): Sensitivity[] {
    const batch = job.batch * factor;
    const counts = [job.plan.microbatches, job.plan.microbatches * factor].filter(Number.isInteger);
    const found = assessed(
      Number.isInteger(batch) ? counts.flatMap((microbatches) => withOptions(job, { microbatches }, batch) ?? []) : [],
    ).sort(
      (a, b) =>
        Number(b.figures.fits) - Number(a.figures.fits) || a.figures.stepTimeSeconds - b.figures.stepTimeSeconds,
    );
    return found.slice(0, 1).map(({ job: one, figures }) => row(`batch ${batch}`, one, figures));
  }
}

const usesHost = ({ plan }: Job): boolean => plan.optimizerOffload !== 'none';

/** Whether chips of the job lie in several nodes or slices. */
function hasNetwork({ hardware: { topology }, chips }: Job): boolean {
  if (topology.kind === 'torus')
    return topology.dataCenterNetwork !== undefined && chips > topology.largestSlice.reduce((a, b) => a * b, 1);
  return topology.kind !== 'shared-memory' && topology.network !== undefined && chips > topology.chipsPerNode;
}
