/** What a rule of a plan's options is asked of, and what it answers. */
import type { AxisName } from '../../mesh/index.js';
import type { Hardware } from '../../hardware/index.js';
import type { FloatType } from '../../program/index.js';
import type { Plan, PlanOptionName } from '../plan-options.js';
import { DEFAULT_PLAN, planOptionText } from '../plan.js';
import type { Tensor } from '../unsharded.js';

/** The types that a job computes in and keeps things in, all of them known. */
export interface Precision {
  readonly compute: FloatType;
  readonly parameters: FloatType;
  readonly gradients: FloatType;
  /** What gradients are reduced over chips in, where it is another type than theirs. */
  readonly gradientReduction?: FloatType;
  readonly optimizer: FloatType;
}

/** What the rules ask of the task. */
export interface PlanSubject {
  readonly plan: Plan;
  readonly precision: Precision;
  readonly hardware: Pick<Hardware, 'name' | 'host' | 'topology'>;
  /** Layers. */
  readonly depth: number;
  /** Layers of each virtual stage of a pipeline that has enough of them. */
  stageLayers(): readonly number[];
  tensors(): readonly Tensor[];
  /** What the plan shards; nothing where the model does not divide over its mesh, which is refused elsewhere. */
  shards(): readonly ShardedTensor[] | undefined;
}

export interface ShardedTensor {
  readonly axes: readonly AxisName[];
  readonly inLayers: boolean;
}

export interface Refusal {
  readonly option: PlanOptionName;
  readonly expected: string;
  readonly got?: string;
  readonly hint?: string;
  /** The options that the plan is the same with; absent where it is wrong with any. */
  readonly without?: Partial<Plan>;
}

export type Rule = (subject: PlanSubject) => Refusal | undefined;

export function isDefault(plan: Plan, option: PlanOptionName): boolean {
  const usual = DEFAULT_PLAN[option as keyof typeof DEFAULT_PLAN];
  return plan[option] === usual || planOptionText(option, plan[option]) === planOptionText(option, usual);
}

export const without = (...options: (keyof typeof DEFAULT_PLAN)[]): Partial<Plan> =>
  Object.fromEntries(options.map((option) => [option, DEFAULT_PLAN[option]]));
