/** Plans that differ from one in a single option: not only those that should help. */
import type { Job, Plan } from '../job/index.js';
import { SHARDS, formatPlan, isPipeline, microbatchChoices } from '../job/index.js';
import type { Mesh } from '../mesh/index.js';
import { axisSize, createMesh } from '../mesh/index.js';
import { ACTIVATION_LAYOUTS } from '../models/index.js';
import { LINEAR_MODES, OPTIMIZER_OFFLOADS, REMATERIALIZATIONS } from '../program/index.js';
import { SCHEDULE_NAMES } from '../program/schedules/index.js';
import { withOptions } from './variation.js';

/** The meshes with twice or half of an axis, taken from or given to `data`. */
function neighbourMeshes(mesh: Mesh): Mesh[] {
  const sizes = Object.fromEntries(mesh.axes.map(({ name, size }) => [name, size]));
  const data = axisSize(mesh, 'data');
  return (['model', 'pipe'] as const).flatMap((axis) =>
    [2, 0.5].flatMap((factor) => {
      const [other, rest] = [axisSize(mesh, axis) * factor, data / factor];
      return Number.isInteger(other) && Number.isInteger(rest)
        ? [createMesh({ ...sizes, [axis]: other, data: rest })]
        : [];
    }),
  );
}

/** The nearest counts below and above the plan's. */
function neighbourCounts({ plan, ...task }: Job): number[] {
  const choices = microbatchChoices(task, plan.mesh);
  const fewer = choices.filter((count) => count < plan.microbatches).at(-1);
  const more = choices.find((count) => count > plan.microbatches);
  return [fewer, more].filter((count) => count !== undefined);
}

/** Each once, as jobs that can be had. */
export function flippedPlans(job: Job): Job[] {
  const { plan } = job;
  const changes: Partial<Plan>[] = [
    ...neighbourMeshes(plan.mesh).map((mesh) => ({ mesh })),
    ...neighbourCounts(job).map((microbatches) => ({ microbatches })),
    ...REMATERIALIZATIONS.map((rematerialize) => ({ rematerialize })),
    ...ACTIVATION_LAYOUTS.map((activations) => ({ activations })),
    ...LINEAR_MODES.map((linears) => ({ linears })),
    ...SHARDS.map((shard) => ({ shard })),
    ...OPTIMIZER_OFFLOADS.map((optimizerOffload) => ({ optimizerOffload })),
    ...[0, 1, 2].map((prefetch) => ({ prefetch })),
    ...[true, false].map((overlapGradients) => ({ overlapGradients })),
    ...(['where-used', 'once'] as const).map((castParameters) => ({ castParameters })),
    ...(isPipeline(plan)
      ? SCHEDULE_NAMES.map((schedule) => ({
          schedule,
          virtualStages: 'fewest' as const,
          scheduleMemory: 'usual' as const,
        }))
      : []),
  ];
  const seen = new Set([formatPlan(plan)]);
  return changes.flatMap((options) => {
    const found = withOptions(job, options);
    if (found === undefined || seen.has(formatPlan(found.plan))) return [];
    seen.add(formatPlan(found.plan));
    return [found];
  });
}
