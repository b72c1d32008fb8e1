/** What is sharded over other chips, when it is gathered and when gradients are reduced. */
import { axisSize, formatMesh, gradientParts, stageMesh } from '../../mesh/index.js';
import { nearest } from '../../text.js';
import { PLAN_OPTIONS } from '../plan-options.js';
import { DEFAULT_PLAN, planOptionText } from '../plan.js';
import { isPipeline } from '../stages.js';
import { matchesPattern } from '../unsharded.js';
import type { Rule } from './rule.js';
import { isDefault, without } from './rule.js';

/** The options that only say how `shard` shards. */
const SHARD_OPTIONS = ['shardAxes', 'shardTensors', 'shardMinimum'] as const;

const shardOptionsNeedShard: Rule = ({ plan }) => {
  const option = plan.shard === 'none' ? SHARD_OPTIONS.find((one) => !isDefault(plan, one)) : undefined;
  return option === undefined
    ? undefined
    : {
        option,
        expected: `${planOptionText(option, DEFAULT_PLAN[option])} with shard=none`,
        hint: 'say what is sharded: shard=optimizer, gradients or parameters',
        without: without(option),
      };
};

const shardAxesAreThere: Rule = ({ plan: { mesh, shard, shardAxes } }) => {
  const missing = shardAxes.filter((axis) => axisSize(mesh, axis) === 1);
  if (shard === 'none' || missing.length === 0) return undefined;
  const left = shardAxes.filter((axis) => !missing.includes(axis));
  const because = `${formatMesh(mesh)}, where ${missing.join(' and ')} is 1`;
  if (left.length > 0) {
    return {
      option: 'shardAxes',
      expected: `${left.join(',')} on ${because}`,
      without: { shardAxes: left },
    };
  }
  const others = stageMesh(mesh).axes.map(({ name }) => name);
  return {
    option: 'shard',
    expected: `none on ${because}`,
    hint: others.length > 0 ? `use shard-axes=${others.join(',')}, or leave it out` : 'leave it out',
    without: without('shard', ...SHARD_OPTIONS, 'prefetch'),
  };
};

const patternsMatch: Rule = ({ plan, tensors }) => {
  if (plan.shardTensors === 'all') return undefined;
  const names = tensors().map(({ name }) => name);
  const lost = plan.shardTensors.find((pattern) => !names.some((name) => matchesPattern(pattern, name)));
  return lost === undefined
    ? undefined
    : {
        option: 'shardTensors',
        expected: 'patterns that a parameter of the model has',
        got: lost,
        hint: `did you mean ${nearest(lost.replaceAll('*', ''), names)}?`,
      };
};

const minimumLeavesSome: Rule = ({ plan, tensors }) => {
  if (plan.shardMinimum === 0) return undefined;
  const { shardTensors } = plan;
  const chosen = tensors().filter(
    ({ name }) => shardTensors === 'all' || shardTensors.some((pattern) => matchesPattern(pattern, name)),
  );
  const largest = Math.max(...chosen.map(({ elements }) => elements));
  return plan.shardMinimum <= largest
    ? undefined
    : { option: 'shardMinimum', expected: `at most ${largest}, the elements of the largest tensor that is sharded` };
};

const shardsCutSomething: Rule = ({ plan, shards }) => {
  const found = plan.shard === 'none' ? undefined : shards();
  if (found === undefined) return undefined;
  const idle = plan.shardAxes.filter((axis) => !found.some(({ axes }) => axes.includes(axis)));
  if (idle.length === 0) return undefined;
  const left = plan.shardAxes.filter((axis) => !idle.includes(axis));
  const because = `since no tensor that is chosen has a dimension left to shard over ${idle.join(' or ')}`;
  return left.length > 0
    ? { option: 'shardAxes', expected: `${left.join(',')}, ${because}`, without: { shardAxes: left } }
    : { option: 'shard', expected: `none, ${because}`, without: without('shard', ...SHARD_OPTIONS, 'prefetch') };
};

const prefetchNeedsLayers: Rule = ({ plan, shards }) =>
  isDefault(plan, 'prefetch') || shards()?.some(({ inLayers }) => inLayers) !== false
    ? undefined
    : {
        option: 'prefetch',
        expected: `${PLAN_OPTIONS.prefetch.default}, since no tensor of the layers is sharded`,
        without: without('prefetch'),
      };

const prefetchNeedsParameters: Rule = ({ plan }) =>
  isDefault(plan, 'prefetch') || plan.shard === 'parameters'
    ? undefined
    : {
        option: 'prefetch',
        expected: `${PLAN_OPTIONS.prefetch.default} with shard=${plan.shard}, which gathers no parameters ahead`,
        hint: 'use shard=parameters',
        without: without('prefetch'),
      };

const prefetchWithinDepth: Rule = ({ plan, depth }) =>
  plan.prefetch === 'layer' || isDefault(plan, 'prefetch') || plan.prefetch < depth
    ? undefined
    : {
        option: 'prefetch',
        expected: `fewer than the ${depth} layers of the model`,
      };

const prefetchWithinStage: Rule = ({ plan, stageLayers }) => {
  if (plan.prefetch === 'layer' || isDefault(plan, 'prefetch') || !isPipeline(plan)) return undefined;
  const most = Math.max(...stageLayers());
  return plan.prefetch < most
    ? undefined
    : { option: 'prefetch', expected: `fewer than ${most}, the most layers that a virtual stage has` };
};

const bucketNeedsLaunches: Rule = ({ plan }) => {
  if (plan.bucket === 'none' || plan.shard !== 'none' || gradientParts(plan.mesh) > 1) return undefined;
  return {
    option: 'bucket',
    expected: `none on ${formatMesh(plan.mesh)}, where neither parameters are gathered nor layers' gradients reduced`,
    hint: 'leave it out',
    without: without('bucket'),
  };
};

const overlapNeedsReductions: Rule = ({ plan }) =>
  plan.overlapGradients || gradientParts(plan.mesh) > 1
    ? undefined
    : {
        option: 'overlapGradients',
        expected: `true on ${formatMesh(plan.mesh)}, where no other chips have gradients of the same layers`,
        hint: 'leave it out',
        without: without('overlapGradients'),
      };

export const SHARD_RULES: readonly Rule[] = [
  shardAxesAreThere,
  shardOptionsNeedShard,
  patternsMatch,
  minimumLeavesSome,
  shardsCutSomething,
  prefetchNeedsParameters,
  prefetchWithinDepth,
  prefetchWithinStage,
  prefetchNeedsLayers,
  bucketNeedsLaunches,
  overlapNeedsReductions,
];
