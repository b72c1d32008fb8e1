/** A job that is changed in one way, to see what becomes of its step. */
import { MeshwrightError } from '../errors.js';
import type { RateFactors, ScaledRates, Stack } from '../hardware/index.js';
import { scaleHardware } from '../hardware/index.js';
import type { Job, Plan, PlanOptionName } from '../job/index.js';
import { PLAN_OPTION_NAMES, checkPlan, fitPlan, planOptionText, planWord } from '../job/index.js';
import type { PlanFigures } from './explain.js';

/** What is read of a step. */
export interface StepFigures extends PlanFigures {
  readonly fits: boolean;
  readonly memoryCapacityBytesPerChip: number;
  readonly reservedMemoryBytesPerChip: number;
}

export interface AssessOptions {
  /** Instead of the hardware's own. */
  readonly stack?: Stack;
  /** One chip takes so many times as long for all that it computes. */
  readonly slowChip?: number;
}

/** Simulates a job; its hardware may be a changed one. @throws MeshwrightError of a job that the machine can't have */
export type Assess<Figures extends StepFigures = StepFigures> = (job: Job, options?: AssessOptions) => Figures;

/** Nothing where the machine or the model doesn't allow it. */
export function unlessRefused<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof MeshwrightError && error.code !== 'INTERNAL') return undefined;
    throw error;
  }
}

/** On a machine with other rates. What is kept of a machine is kept by the name of its hardware, which changes with it. */
export const onScaledHardware = (job: Job, factors: RateFactors, what: ScaledRates = 'all'): Job => ({
  ...job,
  hardware: scaleHardware(job.hardware, factors, what),
  hardwareName: `${job.hardwareName}#${what} ${JSON.stringify(factors)}`,
});

/** With other options, those that have no effect then left out; nothing where there is no such plan. */
export function withOptions(job: Job, options: Partial<Plan>, batch = job.batch): Job | undefined {
  const task = { ...job, batch };
  return unlessRefused(() => checkPlan(task, fitPlan(task, { ...job.plan, ...options }).plan));
}

const textOf = (plan: Plan, name: PlanOptionName): string | undefined =>
  plan[name] === undefined ? undefined : planOptionText(name, plan[name]);

/** The options of `to` that `from` doesn't have, as words of the short form; what `from` alone has is at its default. */
export function planDifference(from: Plan, to: Plan): string {
  return PLAN_OPTION_NAMES.flatMap((name) => {
    const text = textOf(to, name);
    if (text === textOf(from, name)) return [];
    if (text === undefined) return [`${planWord(name)} as usual`];
    return [name === 'mesh' ? text : `${planWord(name)}=${text}`];
  }).join(' ');
}
