/**
 * Which options a plan can honour. One that can't have an effect is refused rather than ignored, since it would let
 * its reader believe in something that isn't there. An option at its default is always honoured.
 */
import { MeshwrightError } from '../errors.js';
import type { AxisName } from '../mesh/index.js';
import { axesInOrder, axisSize, formatMesh, gradientParts, rankCount, stageMesh } from '../mesh/index.js';
import type { Hardware } from '../hardware/index.js';
import type { FloatType } from '../program/index.js';
import { leastMemory, refusedChunks, splitsBackward } from '../program/schedules/index.js';
import { nearest } from '../text.js';
import type { Plan, PlanOptionName } from './plan-options.js';
import { PLAN_OPTIONS, planPlace } from './plan-options.js';
import { DEFAULT_PLAN, planOptionText } from './plan.js';
import { chunkCount, isPipeline, layersOfEvenModules, stageCount } from './stages.js';
import type { Tensor } from './unsharded.js';
import { matchesPattern } from './unsharded.js';

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

type Rule = (subject: PlanSubject) => Refusal | undefined;

function isDefault(plan: Plan, option: PlanOptionName): boolean {
  const usual = DEFAULT_PLAN[option as keyof typeof DEFAULT_PLAN];
  return plan[option] === usual || planOptionText(option, plan[option]) === planOptionText(option, usual);
}

const without = (...options: (keyof typeof DEFAULT_PLAN)[]): Partial<Plan> =>
  Object.fromEntries(options.map((option) => [option, DEFAULT_PLAN[option]]));

/** The options that only say how `shard` shards. */
const SHARD_OPTIONS = ['shardAxes', 'shardTensors', 'shardMinimum'] as const;

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

const layersNeedRematerialization: Rule = ({ plan }) =>
  plan.rematerializeLayers === 'all' || plan.rematerialize !== 'none'
    ? undefined
    : {
        option: 'rematerializeLayers',
        expected: 'all with rematerialize=none',
        hint: 'say what these layers make again: rematerialize=selective, matmuls or full',
        without: without('rematerializeLayers'),
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

const orderIsAnother: Rule = ({ plan: { mesh, axisOrder }, hardware: { topology } }) => {
  if (axisOrder === undefined) return undefined;
  const refusal = (expected: string): Refusal => ({ option: 'axisOrder', expected, hint: 'leave it out' });
  const missing = axisOrder.filter((axis) => axisSize(mesh, axis) === 1);
  if (missing.length > 0) return refusal(`axes of ${formatMesh(mesh)}`);
  if ('chipsPerNode' in topology && rankCount(mesh) <= topology.chipsPerNode)
    return refusal(`nothing where a node of ${topology.chipsPerNode} chips has all ${rankCount(mesh)}`);
  return axesInOrder(mesh, axisOrder).join() === axesInOrder(mesh).join()
    ? refusal(`another order than ${axesInOrder(mesh).join(', ')}, which ${formatMesh(mesh)} has anyway`)
    : undefined;
};

const hostKeepsState: Rule = ({ plan, hardware }) => {
  const { optimizerOffload } = plan;
  if (optimizerOffload === 'none') return undefined;
  const refusal = (expected: string): Refusal => ({ option: 'optimizerOffload', expected });
  if (hardware.host === undefined)
    return refusal(`none on ${hardware.name}, whose profile states no memory of a host beside the chip's`);
  return optimizerOffload === 'host-update' && hardware.host.memoryBandwidth === undefined
    ? refusal(
        `none or streamed on ${hardware.name}, whose profile does not state how fast its host reads and writes memory`,
      )
    : undefined;
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

const castsAreLeft: Rule = ({ plan, precision: { compute, parameters } }) => {
  if (plan.castParameters === 'where-used') return undefined;
  const refusal = { option: 'castParameters', hint: 'leave it out', without: without('castParameters') } as const;
  if (compute === parameters)
    return { ...refusal, expected: `where-used with parameters=${parameters}, the type that they are used in` };
  return plan.shard === 'parameters'
    ? { ...refusal, expected: 'where-used with shard=parameters, which casts a layer before it gathers it' }
    : undefined;
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

const PIPELINE_OPTIONS = ['schedule', 'virtualStages', 'stageLayers', 'scheduleMemory', 'overlapTransfers'] as const;

const pipelineOptionsNeedStages: Rule = ({ plan }) => {
  if (isPipeline(plan)) return undefined;
  const option = PIPELINE_OPTIONS.find((one) => !isDefault(plan, one));
  return option === undefined
    ? undefined
    : {
        option,
        expected: `${planOptionText(option, DEFAULT_PLAN[option])} on ${formatMesh(plan.mesh)}, which has no stages`,
        hint: 'give the mesh an axis pipe, or leave it out',
        without: without(...PIPELINE_OPTIONS),
      };
};

const chunksAsScheduled: Rule = ({ plan }) => {
  const expected = refusedChunks(plan.schedule, chunkCount(plan));
  return expected === undefined ? undefined : { option: 'virtualStages', expected, without: without('virtualStages') };
};

const memoryNeedsChoice: Rule = ({ plan }) => {
  const { schedule, scheduleMemory, microbatches } = plan;
  if (scheduleMemory === 'usual') return undefined;
  const least = leastMemory(schedule, stageCount(plan), microbatches);
  if (least === undefined) {
    return {
      option: 'scheduleMemory',
      expected: `usual with schedule=${schedule}, whose order leaves no choice of what is kept`,
      hint: 'use schedule=zb-1p, zb-2p or zb-v, or leave it out',
      without: without('scheduleMemory'),
    };
  }
  return scheduleMemory >= least
    ? undefined
    : {
        option: 'scheduleMemory',
        expected: `at least ${least}, which ${schedule} keeps of ${stageCount(plan)} stages and ${microbatches} microbatches`,
        hint: 'use schedule=zb-1p to keep fewer, or leave it out',
      };
};

const splitBackwardGoesOn: Rule = ({ plan }) =>
  plan.overlapTransfers || !splitsBackward(plan.schedule)
    ? undefined
    : {
        option: 'overlapTransfers',
        expected: `true with schedule=${plan.schedule}, whose weight gradients are there to fill the time of transfers`,
        hint: 'leave it out',
        without: without('overlapTransfers'),
      };

const stagesHaveLayers: Rule = ({ plan, depth }) => {
  const count = stageCount(plan) * chunkCount(plan);
  const { stageLayers } = plan;
  if (!isPipeline(plan)) return undefined;
  const refusal = (expected: string): Refusal => ({ option: 'stageLayers', expected });
  if (depth < count - 2) {
    return {
      option: 'mesh',
      expected: `at most ${depth + 2} virtual stages for ${depth} layer${depth === 1 ? '' : 's'}, the first and the last of which may have none`,
      got: `${count}, with schedule=${plan.schedule}`,
    };
  }
  if (stageLayers === 'balanced') return undefined;
  if (stageLayers === 'even')
    return depth % count === 0
      ? undefined
      : refusal(`balanced, since ${count} virtual stages don't divide ${depth} layers`);
  if (stageLayers === 'first-and-last-fewer') {
    const fits = (depth + 2) % count === 0;
    return fits ? undefined : refusal(`balanced, since ${count} virtual stages don't divide ${depth} + 2 layers`);
  }
  if (stageLayers === 'even-modules') {
    const fits = layersOfEvenModules(depth, count).every(
      (layers, index) => layers >= (index % (count - 1) === 0 ? 0 : 1),
    );
    return fits
      ? undefined
      : refusal(`balanced, since ${count} virtual stages of as many modules leave one without a layer`);
  }
  const total = stageLayers.reduce((sum, layers) => sum + layers, 0);
  if (stageLayers.length !== count || total !== depth)
    return refusal(`${count} counts, one a virtual stage, that add up to the ${depth} layers of the model`);
  if (stageLayers.slice(1, -1).includes(0))
    return refusal('a layer at least on each virtual stage but the first and the last');
  return undefined;
};

/** An option that has no effect comes before what would be wrong with its value. */
const RULES: readonly Rule[] = [
  pipelineOptionsNeedStages,
  chunksAsScheduled,
  stagesHaveLayers,
  memoryNeedsChoice,
  splitBackwardGoesOn,
  layersNeedRematerialization,
  layersAreThere,
  keptNeedFull,
  keptAreThere,
  shardAxesAreThere,
  shardOptionsNeedShard,
  patternsMatch,
  minimumLeavesSome,
  shardsCutSomething,
  prefetchNeedsParameters,
  prefetchWithinDepth,
  prefetchWithinStage,
  prefetchNeedsLayers,
  needsModelAxis('activations'),
  needsModelAxis('linears'),
  linearsNeedCollectives,
  bothWaysNeedThree,
  bucketNeedsLaunches,
  overlapNeedsReductions,
  castsAreLeft,
  hostKeepsState,
  orderIsAnother,
  gradientsKeepTheirRange,
  reductionOfItsOwn,
  stateKeepsItsRange,
  noWiderThanParameters('gradients', 'gradients'),
  noWiderThanParameters('optimizerState', 'optimizer'),
  scaleNeedsF16('lossScale'),
  scaleNeedsF16('lossScaleInterval'),
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
