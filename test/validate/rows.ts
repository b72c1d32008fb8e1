/** A measured run to change: a small GPT on eight A100. */
import type { Row } from '../../src/validate/index.js';

export interface Changes {
  readonly id?: string;
  readonly set?: string;
  readonly stack?: string;
  readonly model?: Partial<Row['model']>;
  readonly hardware?: Partial<Row['hardware']>;
  readonly plan?: Partial<Row['plan']>;
  readonly measured?: Row['measured'];
}

export const rowOf = ({ model, hardware, plan, measured, ...rest }: Changes = {}): Row => ({
  id: 'one',
  set: 'some',
  stack: 'megatron-lm',
  ...rest,
  model: {
    name: 'GPT',
    family: 'decoder',
    layers: 4,
    width: 512,
    heads: 8,
    keyValueHeads: 8,
    headWidth: 64,
    mlpWidth: 2048,
    gatedMlp: false,
    vocabulary: 50257,
    sequenceLength: 512,
    tiedEmbeddings: true,
    parallelBlock: false,
    ...model,
  },
  hardware: {
    chip: 'a100-80gb-sxm',
    chips: 8,
    chipsPerNode: 8,
    network: { interNodeBytesPerSecondPerNode: 2e11 },
    ...hardware,
  },
  plan: {
    data: 4,
    model: 2,
    pipe: 1,
    sequence: 1,
    zeroStage: 0,
    sequenceSharded: false,
    microbatch: 2,
    globalBatch: 32,
    virtualStages: 1,
    schedule: '1f1b',
    recompute: 'none',
    precision: 'bf16',
    attention: 'unfused',
    ...plan,
  },
  measured: measured ?? { stepTimeSeconds: 0.1 },
});

export const linesOf = (rows: readonly unknown[]): string => rows.map((row) => JSON.stringify(row)).join('\n');
