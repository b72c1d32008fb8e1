/** What the agreement suite compares, and how close it has to come. */
import type { ModelConfig } from '../../src/models/index.js';
import { parsePlan } from '../../src/job/index.js';
import type { FloatType } from '../../src/program/index.js';
import type { FamilyName } from '../../src/runtime/index.js';
import { DECODER_VARIANTS, SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';
import type { WorstTensor } from './case.js';
import { allTensors, OPTIMIZERS, worstTensor } from './case.js';
import type { AgreementRun } from './run.js';
import { runJob } from './run.js';

export const MODELS = {
  vit: SMALL_VIT,
  decoder: SMALL_DECODER,
  'multi-query decoder': { ...SMALL_DECODER, keyValueHeads: 1, norm: 'layer', parallelLayers: true, tiedHead: true },
  'tied decoder of 8 layers': { ...DECODER_VARIANTS['as GPT']!, depth: 8 },
  'untied decoder of 8 layers': { ...SMALL_DECODER, depth: 8 },
} as const satisfies Record<string, ModelConfig>;
export type ModelName = keyof typeof MODELS;

/**
 * In float32 an unsharded rank comes closer to itself in float64 than the bounds below. The eight layers, at ten times
 * the rate, end 6e-4 from it: each step makes rounding some times as large.
 */
const learningRateOf = ({ depth }: ModelConfig): number => (depth < 8 ? 0.01 : 0.001);

type OptimizerName = keyof typeof OPTIMIZERS;

export interface Comparison {
  readonly model: ModelName;
  readonly plan: string;
  readonly family: FamilyName;
  readonly ranks: number;
  readonly optimizer: OptimizerName;
  readonly worst: WorstTensor;
  readonly bound: number;
  readonly sentBytes: number;
  readonly countedBytes: number;
  readonly passed: boolean;
}

/** Machine epsilon of the halves. */
const EPSILON = { bf16: 2 ** -8, f16: 2 ** -11 } as const;

/**
 * What runs may differ by. In halves they differ by rounding, some times over, and only the first step is compared, over
 * all tensors together: a tensor whose terms cancel is nothing but rounding, and later steps start from different ones.
 */
function boundOf(plan: string, family: FamilyName): number {
  const half = halfOf(plan);
  if (half !== undefined) return 8 * EPSILON[half];
  return family === 'reference' ? 1e-9 : 1e-4;
}

/** The coarsest half that the plan computes, sums or keeps in. */
function halfOf(plan: string): keyof typeof EPSILON | undefined {
  const { compute, parameters, gradients, optimizerState } = parsePlan(plan, 'plan');
  const types: (FloatType | undefined)[] = [compute, parameters, gradients, optimizerState];
  return (['bf16', 'f16'] as const).find((type) => types.includes(type));
}

/** Of the plan only what rounds remains: one rank, one microbatch. */
function unshardedPlan(plan: string): string {
  const types = plan
    .split(' ')
    .filter((word) => /^(compute|parameters|gradients|optimizer-state|loss-scale)=/.test(word));
  return ['data=1', 'microbatches=1', ...types].join(' ');
}

const unsharded = new Map<string, Promise<Record<OptimizerName, AgreementRun>>>();

/** The sharded run against the unsharded one, with each optimizer. */
export async function compare(
  { model, plan, family }: { readonly model: ModelName; readonly plan: string; readonly family: FamilyName },
  size: { readonly batch: number; readonly steps: number },
): Promise<Comparison[]> {
  const { batch } = size;
  const steps = halfOf(plan) === undefined ? size.steps : 1;
  const base = { model: MODELS[model], batch, steps, family, learningRate: learningRateOf(MODELS[model]) };
  const single = unshardedPlan(plan);
  const key = `${model} ${single} ${family} ${batch} ${steps}`;
  const one = unsharded.get(key) ?? runJob({ ...base, plan: single }, OPTIMIZERS);
  unsharded.set(key, one);
  const expected = await one;
  const got = await runJob({ ...base, plan }, OPTIMIZERS);
  const { mesh } = parsePlan(plan, 'plan');
  return (Object.keys(OPTIMIZERS) as OptimizerName[]).map((optimizer): Comparison => {
    const { tensors, sentBytes, countedBytes } = got[optimizer];
    const worst = (halfOf(plan) === undefined ? worstTensor : allTensors)(tensors, expected[optimizer].tensors);
    const bound = boundOf(plan, family);
    const ranks = mesh.axes.reduce((product, { size }) => product * size, 1);
    const sameBytes = Math.abs(sentBytes - countedBytes) <= 1e-9 * countedBytes;
    const passed = worst.error <= bound && sameBytes;
    return { model, plan, family, ranks, optimizer, worst, bound, sentBytes, countedBytes, passed };
  });
}
