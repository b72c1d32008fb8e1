/** Runs of Megatron-LM and what is built on it, on A100 and H100. */
import type { Publication, Run } from './row.js';

const gpus = (chip: string, gigabytesPerSecond: number | null) => (chips: number) => ({
  chip,
  chips,
  chipsPerNode: 8,
  network: { interNodeBytesPerSecondPerNode: gigabytesPerSecond === null ? null : gigabytesPerSecond * 1e9 },
});

const gpt = (name: string, layers: number, width: number, heads: number, tokens = 2048, vocabulary = 51200) => ({
  name,
  layers,
  width,
  heads,
  tokens,
  vocabulary,
});

/** Full recomputation, against selective recomputation with sequence parallelism ("present work"). */
const FULL = { recompute: 'full', sequenceSharded: false, precision: 'fp16', attention: 'unfused' };
const PRESENT = { ...FULL, recompute: 'selective', sequenceSharded: true };
const [B22, B175, B530] = [gpt('22B', 48, 6144, 64), gpt('175B', 96, 12288, 96), gpt('530B', 105, 20480, 128)];
const selene = gpus('a100-80gb-sxm', 200);
const on64 = { model: 8, pipe: 8, virtualStages: 3, schedule: 'interleaved-1f1b', microbatch: 1, globalBatch: 64 };
const on280 = { ...on64, pipe: 35, globalBatch: 280 };

export const korthikanti: Publication = {
  set: 'korthikanti-2022',
  stack: 'megatron-lm',
  source: 'Korthikanti et al. 2022 (arXiv 2205.05198), table 5, and §6.3 (530B on 2,240 GPUs); plans as in table 3',
  runs: [
    { model: B22, hardware: selene(8), plan: { model: 8, microbatch: 4, globalBatch: 4, ...FULL }, seconds: 1.42 },
    { model: B22, hardware: selene(8), plan: { model: 8, microbatch: 4, globalBatch: 4, ...PRESENT }, seconds: 1.1 },
    { model: B175, hardware: selene(64), plan: { ...on64, ...FULL }, seconds: 18.13 },
    { model: B175, hardware: selene(64), plan: { ...on64, ...PRESENT }, seconds: 13.75 },
    { model: B530, hardware: selene(280), plan: { ...on280, ...PRESENT }, seconds: 37.83 },
    { model: B530, hardware: selene(2240), plan: { ...on280, data: 8, globalBatch: 2240, ...PRESENT }, seconds: 39.15 },
  ],
};

const zeroBubbleRun = (
  model: ReturnType<typeof gpt>,
  pipe: number,
  microbatch: number,
  microbatches: number,
  schedule: string,
  samplesPerGpuSecond: number,
): Run => ({
  model,
  hardware: gpus('a100-80gb-sxm', null)(pipe),
  plan: { pipe, microbatch, globalBatch: microbatch * microbatches, schedule, firstAndLastStageLayersFewer: 1 },
  seconds: (microbatch * microbatches) / pipe / samplesPerGpuSecond,
});
const pure = (name: string, layers: number, width: number, heads: number) =>
  gpt(name, layers, width, heads, 1024, 50304);
const [P1, P6, P14] = [pure('1.5B', 22, 2304, 24), pure('6.2B', 30, 4096, 32), pure('14.6B', 46, 5120, 40)];

export const zeroBubble: Publication = {
  set: 'zero-bubble',
  stack: 'megatron-lm',
  source:
    'Qi et al. 2023 (arXiv 2401.10241), table 4: samples per GPU and second, 1F1B and ZB-1p and ZB-2p; models as in table 3',
  runs: [
    zeroBubbleRun(P1, 8, 6, 24, '1f1b', 11.8),
    zeroBubbleRun(P1, 8, 6, 64, 'zero-bubble-1p', 14.2),
    zeroBubbleRun(P6, 8, 3, 24, '1f1b', 3.5),
    zeroBubbleRun(P6, 8, 3, 64, 'zero-bubble-2p', 4.39),
    zeroBubbleRun(P14, 16, 1, 48, '1f1b', 1.4),
    zeroBubbleRun(P14, 16, 1, 128, 'zero-bubble-1p', 1.76),
  ],
};

const DEEPSPEED = { recompute: 'full', precision: 'fp16', attention: 'unfused' };
const cluster = gpus('a100-80gb-sxm', 100);
const vtrain = (name: string, layers: number, width: number, heads: number, tokens: number) =>
  gpt(name, layers, width, heads, tokens, 50257);

export const vtrainMulti: Publication = {
  set: 'vtrain-multi-node',
  stack: 'megatron-deepspeed',
  source: 'Bang et al. 2024 (VIA-Research/vTrain), data/ground_truth_multi.csv',
  runs: [
    {
      model: vtrain('3.6B', 30, 3072, 32, 2048),
      hardware: cluster(64),
      plan: { data: 32, model: 2, microbatch: 8, globalBatch: 512, ...DEEPSPEED },
      seconds: 3.9752,
    },
    {
      model: vtrain('18.4B', 40, 6144, 48, 2048),
      hardware: cluster(256),
      plan: { data: 32, model: 8, microbatch: 8, globalBatch: 1024, ...DEEPSPEED },
      seconds: 9.6036,
    },
    {
      model: vtrain('39.1B', 48, 8192, 64, 2048),
      hardware: cluster(512),
      plan: { data: 16, model: 8, pipe: 4, microbatch: 2, globalBatch: 1536, ...DEEPSPEED },
      seconds: 14.7134,
    },
    {
      model: vtrain('175B', 96, 12288, 96, 2048),
      hardware: cluster(512),
      plan: { data: 4, model: 8, pipe: 16, microbatch: 2, globalBatch: 1536, ...DEEPSPEED },
      seconds: 56.3158,
    },
  ],
};

export const vtrainSingle: Publication = {
  set: 'vtrain-single-node',
  stack: 'megatron-deepspeed',
  source: 'Bang et al. 2024 (VIA-Research/vTrain), data/ground_truth_single.csv',
  runs: [
    {
      model: vtrain('0.4B', 24, 1024, 16, 1024),
      hardware: cluster(8),
      plan: { model: 4, pipe: 2, microbatch: 2, globalBatch: 4, ...DEEPSPEED },
      seconds: 0.128248067,
    },
    {
      model: vtrain('1.3B', 24, 2048, 16, 1024),
      hardware: cluster(4),
      plan: { model: 2, pipe: 2, microbatch: 4, globalBatch: 16, ...DEEPSPEED },
      seconds: 0.416298819,
    },
    {
      model: vtrain('1.1B', 20, 2048, 16, 1024),
      hardware: cluster(4),
      plan: { data: 2, pipe: 2, microbatch: 1, globalBatch: 32, ...DEEPSPEED },
      seconds: 0.737409362,
    },
  ],
};

const llama = { tokens: 8192, vocabulary: 128256, keyValueHeads: 8, gatedMlp: true, tiedEmbeddings: false };
const L8 = { ...llama, name: 'Llama 3.1 8B', layers: 32, width: 4096, heads: 32, mlpWidth: 14336 };
const L70 = { ...llama, name: 'Llama 3.1 70B', layers: 80, width: 8192, heads: 64, mlpWidth: 28672 };
const dgx = gpus('h100-80gb-sxm', 400);
const NEMO = {
  zeroStage: 1,
  sequence: 2,
  microbatch: 1,
  overlap: 'overlap_grad_sync, overlap_param_sync, grad_sync bf16',
};
const SPLIT = { ...NEMO, model: 4, pipe: 4, virtualStages: 5, schedule: 'interleaved-1f1b', sequenceSharded: true };

export const dgxCloud: Publication = {
  set: 'dgx-cloud-h100',
  stack: 'nemo-megatron',
  source: 'NVIDIA/dgxc-benchmarking, llama3.1/README_8b.md and README_70b.md of release 24.09, BF16',
  runs: [
    { model: L8, hardware: dgx(8), plan: { ...NEMO, data: 4, globalBatch: 128 }, seconds: 12.91 },
    { model: L8, hardware: dgx(128), plan: { ...NEMO, data: 64, globalBatch: 2048 }, seconds: 13.1 },
    { model: L70, hardware: dgx(64), plan: { ...SPLIT, data: 2, globalBatch: 128 }, seconds: 14.72 },
    { model: L70, hardware: dgx(512), plan: { ...SPLIT, data: 16, globalBatch: 1024 }, seconds: 14.89 },
  ],
};
