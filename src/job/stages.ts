/** What a plan says of a pipeline: how many virtual stages there are, and how many layers each has. */
import { axisSize } from '../mesh/index.js';
import type { ModelConfig } from '../models/index.js';
import { balanceLayers, countMatmulFlops, cutForward } from '../program/index.js';
import type { ScheduleShape } from '../program/schedules/index.js';
import { fewestChunks, placementOf, virtualStage } from '../program/schedules/index.js';
import type { Plan } from './plan-options.js';
import { unsharded } from './unsharded.js';

export const stageCount = ({ mesh }: Pick<Plan, 'mesh'>): number => axisSize(mesh, 'pipe');
export const isPipeline = (plan: Pick<Plan, 'mesh'>): boolean => stageCount(plan) > 1;

/** Virtual stages on each stage. */
export const chunkCount = ({ schedule, virtualStages }: Pick<Plan, 'schedule' | 'virtualStages'>): number =>
  virtualStages === 'fewest' ? fewestChunks(schedule) : virtualStages;

export const scheduleShape = (plan: Plan): ScheduleShape => ({
  stages: stageCount(plan),
  chunks: chunkCount(plan),
  placement: placementOf(plan.schedule),
});

/** Of each stage its virtual stages, in the order of its chunks. */
export const stagePlacement = (shape: ScheduleShape): number[][] =>
  Array.from({ length: shape.stages }, (_, stage) =>
    Array.from({ length: shape.chunks }, (_, chunk) => virtualStage(shape, stage, chunk)),
  );

interface PartFlops {
  readonly embedding: number;
  readonly layer: number;
  readonly head: number;
}

/** Of each model what was found out, by the count of stages. */
const balanced = new WeakMap<
  ModelConfig,
  { readonly flops: PartFlops; readonly layers: Map<number, readonly number[]> }
>();

function balancedLayers(model: ModelConfig, count: number): readonly number[] {
  let known = balanced.get(model);
  if (known === undefined) balanced.set(model, (known = { flops: partFlops(model), layers: new Map() }));
  let found = known.layers.get(count);
  if (found === undefined) {
    const { embedding, layer, head } = known.flops;
    known.layers.set(count, (found = balanceLayers(model.depth, count, { embedding, layer: () => layer, head })));
  }
  return found;
}

/** Matmul FLOPs of one example, forward: what stages are balanced by. */
function partFlops(model: ModelConfig): PartFlops {
  const program = unsharded(model, 1);
  const of = (isFirst: boolean, isLast: boolean, layers: number): number =>
    countMatmulFlops(cutForward(program, { isFirst, isLast, layers })).forward;
  return { embedding: of(true, false, 0), layer: of(false, false, 1), head: of(false, true, 0) };
}

/** What pipelines are cut from besides layers, where modules are counted: an embedding before them, a norm and a head after. */
const FIRST_MODULES = 1;
const LAST_MODULES = 2;

/** Layers of each of `count` stages that have as many modules each, the first of them one more where some are left over. */
export function layersOfEvenModules(depth: number, count: number): number[] {
  const modules = FIRST_MODULES + depth + LAST_MODULES;
  const each = Math.floor(modules / count);
  return Array.from({ length: count }, (_, index) => {
    const all = each + (index < modules % count ? 1 : 0);
    return all - (index === 0 ? FIRST_MODULES : 0) - (index === count - 1 ? LAST_MODULES : 0);
  });
}

/**
 * Layers of each virtual stage.
 *
 * @throws MeshwrightError PLAN_DOES_NOT_DIVIDE where there are too few; a plan that was checked has enough
 */
export function layersOfStages(model: ModelConfig, plan: Plan): number[] {
  const count = stageCount(plan) * chunkCount(plan);
  const { stageLayers } = plan;
  if (stageLayers === 'even') return Array.from({ length: count }, () => model.depth / count);
  if (stageLayers === 'even-modules') return layersOfEvenModules(model.depth, count);
  if (stageLayers === 'first-and-last-fewer') {
    const most = (model.depth + 2) / count;
    return Array.from({ length: count }, (_, index) => (index === 0 || index === count - 1 ? most - 1 : most));
  }
  return stageLayers === 'balanced' ? [...balancedLayers(model, count)] : [...stageLayers];
}
