/** Predictions of published runs, all from the same two profiles: `tpu-v4` and its stack. */
import type { JobSimulation } from '../../src/cli/assess.js';
import { Assessor } from '../../src/cli/assess.js';
import type { JobInput, ModelInput } from '../../src/job/index.js';
import { parsePlanInput } from '../../src/job/index.js';

export interface Run {
  readonly model: string | ModelInput;
  readonly chips: number;
  readonly batch: number;
  /** In the short form; without `microbatches` the fewest that fit are taken. */
  readonly plan: string;
  readonly optimizer?: JobInput['optimizer'];
}

const assessor = new Assessor();

/** One published run, simulated. @throws MeshwrightError as `simulate` of the command line does */
export function predict({ model, chips, batch, plan, optimizer }: Run): JobSimulation {
  const job = assessor.resolve({
    model,
    hardware: 'tpu-v4',
    chips,
    batch,
    plan: parsePlanInput(plan, 'plan'),
    ...(optimizer === undefined ? {} : { optimizer }),
  });
  return assessor.assess(job).simulation;
}

/** All of these that fit in memory. */
export const predictFitting = (runs: readonly Run[]): JobSimulation[] => runs.map(predict).filter(({ fits }) => fits);

/** Least and most. */
export function rangeOf(values: readonly number[]): readonly [number, number] {
  return [Math.min(...values), Math.max(...values)];
}

/** The prediction whose figure is nearest to a published one. */
export function nearestTo(
  published: number,
  simulations: readonly JobSimulation[],
  figure: (simulation: JobSimulation) => number,
): JobSimulation {
  return simulations.reduce((best, one) =>
    Math.abs(figure(one) - published) < Math.abs(figure(best) - published) ? one : best,
  );
}

/** Shares of the step, in words: `matmul 78 %, memory 12 %`; what is under half a percent is left out. */
export function categories({ timeByCategorySeconds, stepTimeSeconds }: JobSimulation): string {
  return Object.entries(timeByCategorySeconds)
    .map(([name, value]) => [name, (100 * value) / stepTimeSeconds] as const)
    .filter(([, share]) => share >= 0.5)
    .map(([name, share]) => `${name} ${share.toFixed(0)} %`)
    .join(', ');
}
