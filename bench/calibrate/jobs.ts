/** The jobs of `bench:calibrate`: three models on one, two and four ranks, of two kernel families, under different plans. */
import type { JobInput } from '../../src/job/index.js';
import { checkPlan, parsePlan, resolveTask } from '../../src/job/index.js';
import type { Job } from '../../src/job/index.js';
import type { FamilyName } from '../../src/runtime/index.js';

const MODELS = {
  'vit-tiny': 'vit-tiny',
  'vit-wide': { preset: 'vit-tiny', name: 'vit-wide', width: 384, depth: 3, mlpWidth: 1536, heads: 6 },
  decoder: {
    preset: 'gpt-tiny',
    name: 'decoder',
    width: 256,
    depth: 3,
    heads: 4,
    keyValueHeads: 4,
    headWidth: 64,
    mlpWidth: 1024,
    sequence: 128,
  },
} as const satisfies Record<string, JobInput['model']>;

export type ModelName = keyof typeof MODELS;

export interface BenchJob {
  readonly name: string;
  readonly model: ModelName;
  readonly family: FamilyName;
  readonly ranks: number;
  readonly batch: number;
  /** In its short form. */
  readonly plan: string;
}

/** Examples a step, so that steps take tenths of a second. */
const BATCHES: Readonly<Record<ModelName, { readonly onnx: number; readonly 'tfjs-wasm': number }>> = {
  'vit-tiny': { onnx: 32, 'tfjs-wasm': 8 },
  'vit-wide': { onnx: 16, 'tfjs-wasm': 4 },
  decoder: { onnx: 16, 'tfjs-wasm': 4 },
};

type Row = readonly [ModelName, 'onnx' | 'tfjs-wasm', ranks: number, plan: string];

const ROWS: readonly Row[] = [
  ['vit-tiny', 'onnx', 1, 'data=1 microbatches=1'],
  ['vit-tiny', 'onnx', 2, 'data=2 microbatches=1'],
  ['vit-tiny', 'onnx', 2, 'model=2 microbatches=1 linears=ring'],
  ['vit-tiny', 'onnx', 2, 'data=2 microbatches=2 shard=parameters'],
  ['vit-tiny', 'onnx', 4, 'data=2,model=2 microbatches=1'],
  ['vit-tiny', 'tfjs-wasm', 1, 'data=1 microbatches=1 rematerialize=full'],
  ['vit-tiny', 'tfjs-wasm', 2, 'data=2 microbatches=1'],
  ['vit-tiny', 'tfjs-wasm', 4, 'data=4 microbatches=1 shard=optimizer'],
  ['vit-wide', 'onnx', 1, 'data=1 microbatches=2 rematerialize=selective'],
  ['vit-wide', 'onnx', 2, 'data=2 microbatches=2'],
  ['vit-wide', 'onnx', 2, 'model=2 microbatches=1'],
  ['vit-wide', 'onnx', 4, 'data=4 microbatches=1'],
  ['vit-wide', 'onnx', 4, 'data=2,model=2 microbatches=1 linears=ring'],
  ['vit-wide', 'tfjs-wasm', 1, 'data=1 microbatches=1'],
  ['vit-wide', 'tfjs-wasm', 2, 'model=2 microbatches=1'],
  ['vit-wide', 'tfjs-wasm', 4, 'data=2,model=2 microbatches=1'],
  ['decoder', 'onnx', 1, 'data=1 microbatches=1 rematerialize=full'],
  ['decoder', 'onnx', 2, 'data=2 microbatches=1 shard=gradients'],
  ['decoder', 'onnx', 2, 'model=2 microbatches=1 linears=ring activations=sequence'],
  ['decoder', 'onnx', 4, 'data=4 microbatches=1 shard=parameters'],
  ['decoder', 'onnx', 4, 'model=4 microbatches=1'],
  ['decoder', 'tfjs-wasm', 1, 'data=1 microbatches=2'],
  ['decoder', 'tfjs-wasm', 2, 'data=2 microbatches=1 rematerialize=full'],
  ['decoder', 'tfjs-wasm', 2, 'model=2 microbatches=1 linears=ring'],
];

export const BENCH_JOBS: readonly BenchJob[] = ROWS.map(([model, family, ranks, plan]) => ({
  name: `${model} ${family} ${plan}`,
  model,
  family,
  ranks,
  batch: BATCHES[model][family],
  plan,
}));

/** As in a job file. */
export const inputOf = ({ model, family, ranks, batch }: BenchJob, hardware: string): JobInput => ({
  model: MODELS[model],
  hardware,
  chips: ranks,
  batch,
  training: { family, monitor: 0 },
});

export const resolved = (job: BenchJob, hardware: string): Job =>
  checkPlan(resolveTask(inputOf(job, hardware)), parsePlan(job.plan, 'plan'));
