/**
 * The dimensions of a search: what each takes where nothing is said of it. A mesh's sizes and the count of microbatches
 * are whatever divides; every other option of a plan that is not in this table stays at its default.
 */
import type { Plan, Space, Task } from '../job/index.js';
import type { ListedOption } from '../job/index.js';
import { SHARDS, isPipeline, numbers, stageCount } from '../job/index.js';
import { axisSize, gradientParts } from '../mesh/index.js';
import type { ActivationLayout } from '../models/index.js';
import type { LinearMode } from '../program/index.js';
import { REMATERIALIZATIONS } from '../program/index.js';

/** What a range may hang on: the task, and the plan as far as it is made, in the order of `DIMENSIONS`. */
export interface DimensionContext {
  readonly task: Task;
  readonly plan: Plan;
}

type Range<K extends ListedOption> = (context: DimensionContext) => readonly NonNullable<Plan[K]>[];

interface Dimension<K extends ListedOption> {
  readonly values: Range<K>;
  /** Those that a usual search tries; all unless given. */
  readonly usual?: Range<K>;
  /** The range in words, for people. */
  readonly about: string;
}

const ONE_CHIP_LAYOUT: readonly ActivationLayout[] = ['width'];
const TORUS_LAYOUTS: readonly ActivationLayout[] = ['width', 'sequence'];
const NODE_LAYOUTS: readonly ActivationLayout[] = ['sequence', 'replicated'];
const TORUS_LINEARS: readonly LinearMode[] = ['synchronous', 'ring', 'bidirectional'];
const NODE_LINEARS: readonly LinearMode[] = ['synchronous', 'ring-bulk'];

/** Virtual stages that give each as many layers as the others; 2 where none does. */
function evenVirtualStages({ task: { model }, plan }: DimensionContext): number[] {
  const stages = stageCount(plan);
  const most = Math.floor(model.depth / stages);
  const even = Array.from({ length: Math.max(0, most - 1) }, (_, index) => index + 2).filter(
    (chunks) => model.depth % (chunks * stages) === 0,
  );
  return even.length > 0 ? even : [2];
}

/** How frameworks for such chips keep optimizer state in the host's memory. */
export const frameworkOffload = ({ topology }: Task['hardware']): Exclude<Plan['optimizerOffload'], 'none'> =>
  topology.kind === 'torus' ? 'streamed' : 'host-update';

export const DIMENSIONS: { readonly [K in ListedOption]?: Dimension<K> } = {
  schedule: {
    values: ({ plan }) => (isPipeline(plan) ? ['1f1b', 'interleaved-1f1b', 'zb-v'] : ['1f1b']),
    about: '1f1b, interleaved-1f1b and zb-v, which frameworks have; gpipe takes as long as 1f1b and keeps more',
  },
  virtualStages: {
    values: (context) => (context.plan.schedule === 'interleaved-1f1b' ? evenVirtualStages(context) : ['fewest']),
    about: 'of interleaved-1f1b every count that gives all virtual stages as many layers, or 2',
  },
  rematerialize: {
    values: () => REMATERIALIZATIONS,
    usual: () => ['none', 'selective', 'full'],
    about: 'none, selective and full; matmuls too with --full',
  },
  activations: {
    values: ({ task, plan }) => {
      if (axisSize(plan.mesh, 'model') === 1) return ONE_CHIP_LAYOUT;
      return task.hardware.topology.kind === 'torus' ? TORUS_LAYOUTS : NODE_LAYOUTS;
    },
    usual: ({ task, plan }) =>
      axisSize(plan.mesh, 'model') === 1 || task.hardware.topology.kind === 'torus' ? ONE_CHIP_LAYOUT : ['sequence'],
    about:
      'on a torus width, elsewhere sequence; with --full sequence and replicated too, which frameworks for GPUs have',
  },
  linears: {
    values: ({ task, plan }) => {
      if (axisSize(plan.mesh, 'model') === 1) return ['synchronous'];
      return task.hardware.topology.kind === 'torus' ? TORUS_LINEARS : NODE_LINEARS;
    },
    usual: ({ task, plan }) =>
      axisSize(plan.mesh, 'model') > 1 && task.hardware.topology.kind === 'torus'
        ? ['synchronous', 'bidirectional']
        : ['synchronous'],
    about: 'synchronous; on a torus bidirectional too; with --full ring as well, elsewhere ring-bulk',
  },
  optimizerOffload: {
    values: ({ task: { hardware } }) => (hardware.host === undefined ? ['none'] : ['none', frameworkOffload(hardware)]),
    usual: () => ['none'],
    about:
      "none; with --full where the profile states a host's memory also streamed, which frameworks for TPUs have, or host-update, which those for GPUs have",
  },
  shard: {
    values: ({ plan }) => {
      if (gradientParts(plan.mesh) === 1) return ['none'];
      return isPipeline(plan) ? SHARDS.filter((stage) => stage !== 'parameters') : SHARDS;
    },
    usual: ({ plan }) => {
      if (gradientParts(plan.mesh) === 1) return ['none'];
      return isPipeline(plan) ? ['none', 'optimizer'] : ['none', 'optimizer', 'parameters'];
    },
    about:
      'none, optimizer and parameters; gradients too with --full; but in a pipeline not parameters, which every microbatch would gather anew',
  },
};

/** Options that only pipelines have: who gives one wants them tried. */
const OF_PIPELINES = ['schedule', 'virtualStages', 'stageLayers', 'scheduleMemory', 'overlapTransfers'] as const;

/** A usual search tries pipelines where they are asked for. */
export function withUsualMesh(space: Space): Space {
  const { breadth, mesh = {}, options = {} } = space;
  const asksForStages = mesh.pipe !== undefined || OF_PIPELINES.some((name) => options[name] !== undefined);
  return breadth === 'usual' && !asksForStages ? { ...space, mesh: { ...mesh, pipe: numbers(1) } } : space;
}

/** Sizes that axes may have where nothing is said of them. */
export const FREE_AXES = ['pipe', 'data', 'model'] as const;

/** Counts of microbatches that are tried: with stages those that fill them, unless none does. */
export function fillingCounts(plan: Pick<Plan, 'mesh'>, counts: readonly number[]): readonly number[] {
  const filling = counts.filter((count) => count >= stageCount(plan));
  return filling.length > 0 ? filling : counts;
}
