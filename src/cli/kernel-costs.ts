/** What a simulated step's kernels are made of, by the profile that it was simulated on. */
import type { Program } from '../program/index.js';
import { seconds } from '../units.js';
import type { WorkKind } from '../hardware/index.js';
import type { KernelCost } from '../../sim/index.js';
import type { AnyAssessment } from './assess.js';
import { isOfPipeline } from './assess.js';

const PARTS = ['matmulSeconds', 'memorySeconds', 'vectorSeconds', 'overheadSeconds'] as const;
/** The time of a kernel under what limits each piece of it. */
type KernelParts = Pick<KernelCost, (typeof PARTS)[number]>;

const mapParts = (value: (of: (typeof PARTS)[number]) => number): KernelParts =>
  Object.fromEntries(PARTS.map((of) => [of, seconds(value(of))])) as unknown as KernelParts;
export const times = (parts: KernelParts, by: number): KernelParts => mapParts((of) => by * parts[of]);
const plus = (a: KernelParts, b: KernelParts): KernelParts => mapParts((of) => a[of] + b[of]);

interface Known {
  readonly programs: readonly Program[];
  /** By op id: what one run of a kernel costs; of stages where it costs different things, the mean over runs. */
  readonly kernels: ReadonlyMap<string, KernelParts>;
}

export function knownOf(predicted: AnyAssessment): Known {
  if (!isOfPipeline(predicted)) return { programs: [predicted.program], kernels: predicted.execution.kernels };
  const { runs, stages } = predicted.execution;
  const found = new Map<string, { cost: KernelParts; count: number }>();
  for (const { run, count } of stages.flatMap(({ uses }) => uses)) {
    for (const { op, cost, times: inProgram } of run.plan.kernels) {
      const of = count * inProgram;
      const known = found.get(op.id);
      const sum = times(cost, of);
      found.set(op.id, known ? { cost: plus(known.cost, sum), count: known.count + of } : { cost: sum, count: of });
    }
  }
  return {
    programs: runs.all.map(({ program }) => program),
    kernels: new Map([...found].map(([id, { cost, count }]) => [id, times(cost, 1 / count)])),
  };
}

export type WorkTimes = KernelCost['byWork'];

/** What one run of a kernel takes by kind of work, by op id; of stages where it differs, the mean over runs. */
export function workOf(predicted: AnyAssessment): ReadonlyMap<string, WorkTimes> {
  if (!isOfPipeline(predicted))
    return new Map([...predicted.execution.kernels].map(([id, { byWork }]) => [id, byWork]));
  const found = new Map<string, { readonly work: Partial<Record<WorkKind, number>>; count: number }>();
  for (const { run, count } of predicted.execution.stages.flatMap(({ uses }) => uses)) {
    for (const { op, cost, times: inProgram } of run.plan.kernels) {
      let entry = found.get(op.id);
      if (entry === undefined) found.set(op.id, (entry = { work: {}, count: 0 }));
      entry.count += count * inProgram;
      for (const [kind, taken] of entriesOf(cost.byWork))
        entry.work[kind] = (entry.work[kind] ?? 0) + count * inProgram * taken;
    }
  }
  return new Map([...found].map(([id, { work, count }]) => [id, timesWork(work, 1 / count)]));
}

export const entriesOf = (work: WorkTimes): [WorkKind, number][] => Object.entries(work) as [WorkKind, number][];

export const timesWork = (work: WorkTimes, by: number): WorkTimes =>
  Object.fromEntries(entriesOf(work).map(([kind, taken]) => [kind, by * taken]));

/** The op that a span is a run of. */
export const opOf = (spanId: string): string => spanId.split('@')[0]!;
