/** What a simulated step's kernels are made of, by the profile that it was simulated on. */
import type { WorkKind } from '../hardware/index.js';
import type { KernelCost } from '../../sim/index.js';
import type { AnyAssessment } from './assess.js';
import { isOfPipeline } from './assess.js';

/** In seconds. */
export type WorkTimes = KernelCost['byWork'];

/** What one run of a kernel takes by kind of work, by op id; of stages where it differs, the mean over runs. */
export function workOf(predicted: AnyAssessment): ReadonlyMap<string, WorkTimes> {
  if (!isOfPipeline(predicted))
    return new Map([...predicted.execution.kernels].map(([id, { byWork }]) => [id, byWork]));
  const found = new Map<string, { readonly work: Partial<Record<WorkKind, number>>; count: number }>();
  for (const { run, count } of predicted.execution.stages.flatMap(({ uses }) => uses)) {
    for (const { op, cost, times } of run.plan.kernels) {
      let entry = found.get(op.id);
      if (entry === undefined) found.set(op.id, (entry = { work: {}, count: 0 }));
      entry.count += count * times;
      for (const [kind, taken] of entriesOf(cost.byWork))
        entry.work[kind] = (entry.work[kind] ?? 0) + count * times * taken;
    }
  }
  return new Map([...found].map(([id, { work, count }]) => [id, timesWork(work, 1 / count)]));
}

export const entriesOf = (work: WorkTimes): [WorkKind, number][] => Object.entries(work) as [WorkKind, number][];

export const timesWork = (work: WorkTimes, by: number): WorkTimes =>
  Object.fromEntries(entriesOf(work).map(([kind, taken]) => [kind, by * taken]));

/** The op that a span is a run of. */
export const opOf = (spanId: string): string => spanId.split('@')[0]!;
