/** How activations lie on the axis `model`, and the collectives of the linear layers on it. */
import { axisSize, formatMesh } from '../../mesh/index.js';
import { PLAN_OPTIONS } from '../plan-options.js';
import type { Rule } from './rule.js';
import { isDefault, without } from './rule.js';

const needsModelAxis =
  (option: 'activations' | 'linears'): Rule =>
  ({ plan }) =>
    isDefault(plan, option) || axisSize(plan.mesh, 'model') > 1
      ? undefined
      : {
          option,
          expected: `${PLAN_OPTIONS[option].default} on ${formatMesh(plan.mesh)}, where model is 1 and layers are whole`,
          hint: 'give the mesh a larger model axis, or leave it out',
          without: without(option),
        };

const bothWaysNeedThree: Rule = ({ plan }) =>
  plan.linears !== 'bidirectional' || axisSize(plan.mesh, 'model') !== 2
    ? undefined
    : {
        option: 'linears',
        expected: 'ring on model=2, where both ways lead to the same neighbour',
        without: { linears: 'ring' },
      };

const linearsNeedCollectives: Rule = ({ plan }) =>
  plan.linears === 'synchronous' || plan.activations !== 'replicated'
    ? undefined
    : {
        option: 'linears',
        expected: 'synchronous with activations=replicated, whose linear layers neither gather nor scatter',
        hint: 'use activations=width or activations=sequence',
        without: without('linears'),
      };

export const LINEAR_RULES: readonly Rule[] = [
  needsModelAxis('activations'),
  needsModelAxis('linears'),
  linearsNeedCollectives,
  bothWaysNeedThree,
];
