/** The types of numbers, and what keeps them within the range of theirs. */
import { formatMesh, gradientParts } from '../../mesh/index.js';
import { PLAN_OPTIONS } from '../plan-options.js';
import type { Rule } from './rule.js';
import { isDefault, without } from './rule.js';

const castsAreLeft: Rule = ({ plan, precision: { compute, parameters } }) => {
  if (plan.castParameters === 'where-used') return undefined;
  const refusal = { option: 'castParameters', hint: 'leave it out', without: without('castParameters') } as const;
  if (compute === parameters)
    return { ...refusal, expected: `where-used with parameters=${parameters}, the type that they are used in` };
  return plan.shard === 'parameters'
    ? { ...refusal, expected: 'where-used with shard=parameters, which casts a layer before it gathers it' }
    : undefined;
};

const gradientsKeepTheirRange: Rule = ({ precision: { compute, gradients } }) =>
  gradients !== 'f16' || compute === 'f16'
    ? undefined
    : {
        option: 'gradients',
        expected: `bf16 or f32 with compute=${compute}: only compute=f16 scales the loss so that gradients fit f16`,
        got: gradients,
      };

const reductionOfItsOwn: Rule = ({ plan, precision: { compute, gradients, gradientReduction: type } }) => {
  if (type === undefined) return undefined;
  const refusal = { option: 'gradientReduction', got: type, without: without('gradientReduction') } as const;
  if (gradientParts(plan.mesh) === 1)
    return {
      ...refusal,
      expected: `${gradients} on ${formatMesh(plan.mesh)}, where no sums over chips are to be made`,
    };
  if (plan.shard === 'parameters' || plan.shard === 'gradients' || plan.overlapGradients)
    return {
      ...refusal,
      expected: `${gradients}, as gradients=${gradients} says, where they are not reduced after the backward pass`,
      hint: 'set gradients, or overlap-gradients=false with shard=none or shard=optimizer',
    };
  return type === 'f32' && (gradients === 'bf16' || compute === 'f16')
    ? undefined
    : { ...refusal, expected: `${gradients}, or f32 where gradients are half as wide` };
};

const stateKeepsItsRange: Rule = ({ precision: { optimizer } }) =>
  optimizer !== 'f16'
    ? undefined
    : {
        option: 'optimizerState',
        expected: 'bf16 or f32: squares of small gradients vanish in f16',
        got: optimizer,
      };

const noWiderThanParameters =
  (option: 'gradients' | 'optimizerState', field: 'gradients' | 'optimizer'): Rule =>
  ({ precision }) =>
    precision[field] !== 'f64' || precision.parameters === 'f64'
      ? undefined
      : {
          option,
          expected: `f32 or less with parameters=${precision.parameters}, which every update is rounded to`,
          got: 'f64',
        };

const scaleNeedsF16 =
  (option: 'lossScale' | 'lossScaleInterval'): Rule =>
  ({ plan, precision }) =>
    isDefault(plan, option) || precision.compute === 'f16'
      ? undefined
      : {
          option,
          expected: `${PLAN_OPTIONS[option].default} with compute=${precision.compute}: only f16 scales the loss`,
          hint: 'use compute=f16, or leave it out',
          without: without(option),
        };

export const NUMBER_RULES: readonly Rule[] = [
  castsAreLeft,
  gradientsKeepTheirRange,
  reductionOfItsOwn,
  stateKeepsItsRange,
  noWiderThanParameters('gradients', 'gradients'),
  noWiderThanParameters('optimizerState', 'optimizer'),
  scaleNeedsF16('lossScale'),
  scaleNeedsF16('lossScaleInterval'),
];
