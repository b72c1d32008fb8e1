/** What the backward pass makes again, in which layers, and what is kept of them. */
import { nearest } from '../../text.js';
import { planOptionText } from '../plan.js';
import { matchesPattern } from '../unsharded.js';
import type { Rule } from './rule.js';
import { without } from './rule.js';

const layersNeedRematerialization: Rule = ({ plan }) =>
  plan.rematerializeLayers === 'all' || plan.rematerialize !== 'none'
    ? undefined
    : {
        option: 'rematerializeLayers',
        expected: 'all with rematerialize=none',
        hint: 'say what these layers make again: rematerialize=selective, matmuls or full',
        without: without('rematerializeLayers'),
      };

const layersAreThere: Rule = ({ plan, depth }) => {
  if (plan.rematerializeLayers === 'all') return undefined;
  const beyond = plan.rematerializeLayers.filter((layer) => layer >= depth);
  if (beyond.length === 0) return undefined;
  return {
    option: 'rematerializeLayers',
    expected: depth === 1 ? 'layer 0, the only one of the model' : `layers of 0 to ${depth - 1}, which the model has`,
    got: planOptionText('rematerializeLayers', beyond),
  };
};

const keptNeedFull: Rule = ({ plan }) =>
  plan.keepProducts === 'none' || plan.rematerialize === 'full'
    ? undefined
    : {
        option: 'keepProducts',
        expected: `none with rematerialize=${plan.rematerialize}, which keeps the products with all kernels`,
        hint: 'use rematerialize=full',
        without: without('keepProducts'),
      };

const keptAreThere: Rule = ({ plan, tensors }) => {
  if (plan.keepProducts === 'none') return undefined;
  const names = tensors()
    .map(({ name }) => name)
    .filter((name) => /^(en|de)coder\/.*kernel$/.test(name));
  const lost = plan.keepProducts.find((pattern) => !names.some((name) => matchesPattern(pattern, name)));
  return lost === undefined
    ? undefined
    : {
        option: 'keepProducts',
        expected: 'patterns that a kernel of a layer has',
        got: lost,
        hint: `did you mean ${nearest(lost.replaceAll('*', ''), names)}?`,
      };
};

export const REMATERIALIZATION_RULES: readonly Rule[] = [
  layersNeedRematerialization,
  layersAreThere,
  keptNeedFull,
  keptAreThere,
];
