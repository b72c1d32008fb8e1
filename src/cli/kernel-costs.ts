/** What a simulated step's kernels are made of, by the profile that it was simulated on. */
import type { Program } from '../program/index.js';
import { seconds } from '../units.js';
import type { KernelCost } from '../../sim/index.js';
import type { AnyAssessment } from './assess.js';
import { isOfPipeline } from './assess.js';

export const PARTS = ['matmulSeconds', 'memorySeconds', 'vectorSeconds', 'overheadSeconds'] as const;
/** The time of a kernel under what limits each piece of it. */
export type KernelParts = Pick<KernelCost, (typeof PARTS)[number]>;

const mapParts = (value: (of: (typeof PARTS)[number]) => number): KernelParts =>
  Object.fromEntries(PARTS.map((of) => [of, seconds(value(of))])) as unknown as KernelParts;
export const times = (parts: KernelParts, by: number): KernelParts => mapParts((of) => by * parts[of]);
const plus = (a: KernelParts, b: KernelParts): KernelParts => mapParts((of) => a[of] + b[of]);

export interface Known {
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

/** The op that a span is a run of. */
export const opOf = (spanId: string): string => spanId.split('@')[0]!;
