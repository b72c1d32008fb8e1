/** What a plan's steps cost and draw, as far as the profile has a price and a power. */
import type { Job } from '../job/index.js';
import { tokensPerExample } from '../models/index.js';
import { costOf } from '../planner/index.js';
import { dollars, formatDollars, formatJoules, joules, seconds } from '../units.js';
import type { FoundPlan } from './plan-report.js';

/** Of a step, and of as much as makes plans comparable that differ in batch: a million images, or a billion tokens. */
export interface PlanCost {
  readonly dollarsPerStep: number | null;
  readonly joulesPerStep: number | null;
  readonly unit: string;
  readonly dollarsPerUnit: number | null;
  readonly joulesPerUnit: number | null;
}

const unitOf = ({ model }: Job): { readonly unit: string; readonly examples: number } =>
  model.family === 'vit'
    ? { unit: 'million images', examples: 1e6 }
    : { unit: 'billion tokens', examples: 1e9 / tokensPerExample(model) };

/** At list prices on demand, chips alone: without hosts, network and cooling where it comes to energy. */
export function planCost({ job, figures }: Pick<FoundPlan, 'job' | 'figures'>): PlanCost {
  const step = costOf(job.hardware, job.chips, seconds(figures.stepTimeSeconds));
  const { unit, examples } = unitOf(job);
  const times = examples / job.batch;
  const scaled = (value: number | null): number | null => (value === null ? null : value * times);
  return {
    dollarsPerStep: step.dollars,
    joulesPerStep: step.energy,
    unit,
    dollarsPerUnit: scaled(step.dollars),
    joulesPerUnit: scaled(step.energy),
  };
}

const both = (money: number | null, energy: number | null): string =>
  [
    ...(money === null ? [] : [formatDollars(dollars(money))]),
    ...(energy === null ? [] : [formatJoules(joules(energy))]),
  ].join(' and ');

/** `11.1 USD and 585 Wh a step, 169 USD and 8.92 kWh a million images`; nothing where the profile knows neither. */
export function costWords(found: Pick<FoundPlan, 'job' | 'figures'>): string | undefined {
  const { dollarsPerStep, joulesPerStep, dollarsPerUnit, joulesPerUnit, unit } = planCost(found);
  if (dollarsPerStep === null && joulesPerStep === null) return undefined;
  return `${both(dollarsPerStep, joulesPerStep)} a step, ${both(dollarsPerUnit, joulesPerUnit)} a ${unit}`;
}
