/**
 * Which options a plan can honour. One that can't have an effect is refused rather than ignored, since it would let
 * its reader believe in something that isn't there. An option at its default is always honoured.
 */
import { MeshwrightError } from '../errors.js';
import type { Plan } from './plan-options.js';
import { planPlace } from './plan-options.js';
import { planOptionText } from './plan.js';
import { LINEAR_RULES } from './rules/linears.js';
import { MACHINE_RULES } from './rules/machine.js';
import { NUMBER_RULES } from './rules/numbers.js';
import { PIPELINE_RULES } from './rules/pipelines.js';
import { REMATERIALIZATION_RULES } from './rules/rematerialization.js';
import type { PlanSubject, Refusal, Rule } from './rules/rule.js';
import { SHARD_RULES } from './rules/shards.js';

export type { PlanSubject, Precision, Refusal, ShardedTensor } from './rules/rule.js';

/** An option that has no effect comes before what would be wrong with its value. */
const RULES: readonly Rule[] = [
  ...PIPELINE_RULES,
  ...REMATERIALIZATION_RULES,
  ...SHARD_RULES,
  ...LINEAR_RULES,
  ...NUMBER_RULES,
  ...MACHINE_RULES,
];

/** The first option that a plan can't honour. */
export function refusalOf(subject: PlanSubject): Refusal | undefined {
  for (const rule of RULES) {
    const refusal = rule(subject);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
}

export function refused({ option, expected, got, hint }: Refusal, plan: Plan): MeshwrightError {
  return new MeshwrightError('PLAN_INVALID', {
    place: planPlace(option),
    expected,
    got: got ?? planOptionText(option, plan[option]),
    ...(hint === undefined ? {} : { hint }),
  });
}
