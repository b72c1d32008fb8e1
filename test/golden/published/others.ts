/** Runs of PyTorch on A100, and of JAX on TPUs. */
import type { Publication, Run } from './row.js';

const a100 = (memory: 40 | 80) => (chips: number) => ({
  chip: `a100-${memory}gb-sxm`,
  chips,
  chipsPerNode: 8,
  network: { interNodeBytesPerSecondPerNode: 2e11 },
});

const mpt = (name: string, layers: number, width: number, heads: number, tokens = 2048) => ({
  name: `MPT-${name}`,
  layers,
  width,
  heads,
  tokens,
  vocabulary: 50368,
});

/** All chips share the parameters. */
function sharded(
  model: ReturnType<typeof mpt>,
  hardware: Run['hardware'],
  [microbatch, globalBatch]: [number, number],
  recompute: 'full' | 'none',
  tokensPerSecond: number,
): Run {
  const plan = { data: hardware.chips, zeroStage: 3, microbatch, globalBatch, recompute };
  return { model, hardware, plan, seconds: (globalBatch * model.tokens) / tokensPerSecond };
}

export const mosaic: Publication = {
  set: 'mosaic-a100',
  stack: 'pytorch-fsdp',
  source:
    'mosaicml/llm-foundry, scripts/train/benchmarking/README.md, A100 80GB and 40GB: throughput in tokens a second',
  runs: [
    sharded(mpt('70b', 80, 8192, 64), a100(80)(64), [8, 2048], 'full', 26274),
    sharded(mpt('30b', 48, 7168, 56), a100(80)(8), [3, 504], 'full', 7330),
    sharded(mpt('13b', 40, 5120, 40), a100(80)(8), [2, 48], 'none', 18097),
    sharded(mpt('3b', 32, 2560, 20), a100(80)(8), [10, 160], 'none', 86491),
    sharded(mpt('125m', 12, 768, 12), a100(80)(8), [32, 512], 'none', 1133901),
    sharded(mpt('13b', 40, 5120, 40), a100(40)(64), [16, 1024], 'full', 126479),
  ],
};

const llama = { tokens: 2048, vocabulary: 128000, gatedMlp: true, tiedEmbeddings: false };
const LLAMA_13 = { ...llama, name: 'LLaMA-13B', layers: 40, width: 5120, heads: 40, mlpWidth: 13824 };
const LLAMA_30 = { ...llama, name: 'LLaMA-30B', layers: 60, width: 6656, heads: 52, mlpWidth: 17920 };
const LLAMA_65 = { ...llama, name: 'LLaMA-65B', layers: 80, width: 8192, heads: 64, mlpWidth: 22016 };
const SCALING = { zeroStage: 1, fusedNorm: true, globalBatch: 2048, microbatch: 1 };

export const alephAlpha: Publication = {
  set: 'aleph-alpha-layouts',
  stack: 'aleph-alpha-scaling',
  source:
    'Hagemann et al. 2023 (arXiv 2311.05610): step times of the sweeps with the RMS norm kernel, and what ran out of memory',
  runs: [
    { model: LLAMA_13, hardware: a100(80)(32), plan: { ...SCALING, data: 32 }, seconds: 53.806, fits: true },
    {
      model: LLAMA_13,
      hardware: a100(80)(64),
      plan: { ...SCALING, data: 32, model: 2, microbatch: 2 },
      seconds: 29.704,
      fits: true,
    },
    { model: LLAMA_30, hardware: a100(80)(64), plan: { ...SCALING, data: 16, pipe: 4 }, seconds: 71.995, fits: true },
    {
      model: LLAMA_65,
      hardware: a100(80)(128),
      plan: { ...SCALING, data: 8, model: 2, pipe: 8 },
      seconds: 79.54,
      fits: true,
    },
    { model: LLAMA_13, hardware: a100(80)(32), plan: { ...SCALING, data: 32, microbatch: 2 }, fits: false },
    { model: LLAMA_13, hardware: a100(80)(32), plan: { ...SCALING, data: 16, pipe: 2, microbatch: 4 }, fits: false },
  ],
};

interface Torus {
  readonly chip: string;
  readonly chips: number;
  readonly slices: number;
  readonly shape: number[] | null;
}
const torus = ({ chip, chips, slices, shape }: Torus): Run['hardware'] => ({
  chip,
  chips,
  network: { slices, chipsPerSlice: chips / slices, sliceShape: shape },
});

const maxtextModel = (
  name: string,
  layers: number,
  width: number,
  heads: number,
  mlpWidth: number,
  tokens: number,
) => ({
  name,
  layers,
  width,
  heads,
  headWidth: 256,
  mlpWidth,
  tokens,
  vocabulary: 32768,
});

/** How much of causal attention is counted in the rate that is printed. */
type Counted = 'none' | 'half' | 'all';
const SHARE: Readonly<Record<Counted, number>> = { none: 0, half: 0.5, all: 1 };

/** FLOPs of a step as MaxText counts them: 6·N a token, and 12·L·H·Q·T of attention or a part of it. */
function maxtextFlops(model: ReturnType<typeof maxtextModel>, batch: number, counted: Counted): number {
  const { layers, width, heads, headWidth, mlpWidth, tokens, vocabulary } = model;
  const parameters = layers * width * (4 * heads * headWidth + 2 * mlpWidth) + vocabulary * width;
  return batch * tokens * (6 * parameters + SHARE[counted] * 12 * layers * heads * headWidth * tokens);
}

function maxtextRun(
  model: ReturnType<typeof maxtextModel>,
  hardware: Torus,
  plan: {
    readonly model?: number;
    readonly microbatch: number;
    readonly recompute: string;
    readonly attention?: string;
  },
  counted: Counted,
  teraflopsPerChip: number,
): Run {
  const { chips, slices } = hardware;
  const data = chips / (plan.model ?? 1);
  const globalBatch = data * plan.microbatch;
  return {
    model,
    hardware: torus(hardware),
    plan: { ...plan, data, zeroStage: 3, shardParametersOver: data / slices, globalBatch },
    seconds: maxtextFlops(model, globalBatch, counted) / (chips * teraflopsPerChip * 1e12),
  };
}

const M22 = maxtextModel('22B', 48, 6144, 24, 24576, 1024);
const M32 = maxtextModel('32B', 32, 10240, 32, 32768, 2048);
const M64 = maxtextModel('64B', 64, 10240, 32, 32768, 2048);
const M128 = maxtextModel('128B', 64, 10240, 64, 65536, 2048);
const v4 = (slices: number): Torus => ({ chip: 'tpu-v4', chips: 64 * slices, slices, shape: [4, 4, 4] });
const v5e = (slices: number): Torus => ({ chip: 'tpu-v5e', chips: 256 * slices, slices, shape: [16, 16] });
const v5p = (chips: number, slices: number): Torus => ({ chip: 'tpu-v5p', chips: chips * slices, slices, shape: null });
const FULL = { recompute: 'full' };

export const maxtextV4: Publication = {
  set: 'maxtext-tpu-v4',
  stack: 'maxtext-xla',
  source: 'AI-Hypercomputer/maxtext, MaxText/configs/v4/README.md: TFLOP/s a chip by 6·N',
  runs: [
    maxtextRun(M22, v4(1), { ...FULL, microbatch: 16, attention: 'unfused' }, 'none', 156),
    maxtextRun(M22, v4(2), { ...FULL, microbatch: 16, attention: 'unfused' }, 'none', 152),
  ],
};

export const maxtextV5e: Publication = {
  set: 'maxtext-tpu-v5e',
  stack: 'maxtext-xla',
  source: 'AI-Hypercomputer/maxtext, MaxText/configs/v5e/README.md: TFLOP/s a chip with all of attention',
  runs: [
    maxtextRun(M32, v5e(1), { ...FULL, microbatch: 4 }, 'all', 132),
    maxtextRun(M64, v5e(1), { ...FULL, microbatch: 2 }, 'all', 118),
    maxtextRun(M128, v5e(1), { ...FULL, model: 16, microbatch: 16 }, 'all', 110),
  ],
};

export const maxtextV5p: Publication = {
  set: 'maxtext-tpu-v5p',
  stack: 'maxtext-xla',
  source: 'AI-Hypercomputer/maxtext, MaxText/configs/v5p/README.md: TFLOP/s a chip with half of attention',
  runs: [
    maxtextRun(M32, v5p(64, 1), { recompute: 'matmul-outputs-saved', model: 4, microbatch: 32 }, 'half', 328),
    maxtextRun(M128, v5p(128, 1), { recompute: 'matmul-outputs-saved', model: 8, microbatch: 16 }, 'half', 315),
  ],
};

const PALM_TOKENS = 2048 * 2048;

export const palm: Publication = {
  set: 'palm',
  stack: 'maxtext-xla',
  source: 'Chowdhery et al. 2022 (PaLM, arXiv 2204.02311), §4.1: 238.3 thousand tokens a second on 6,144 chips',
  runs: [
    {
      model: {
        name: 'PaLM 540B',
        layers: 118,
        width: 18432,
        heads: 48,
        keyValueHeads: 1,
        headWidth: 256,
        mlpWidth: 73728,
        gatedMlp: true,
        parallelBlock: true,
        tokens: 2048,
        vocabulary: 256000,
      },
      hardware: torus({ chip: 'tpu-v4', chips: 6144, slices: 2, shape: null }),
      plan: {
        ...{ data: 512, model: 12, zeroStage: 3, shardParametersOver: 256, microbatch: 4, globalBatch: 2048 },
        ...{ recompute: 'full', recomputedForwardShare: 0.75, attention: 'unfused' },
      },
      seconds: PALM_TOKENS / 238.3e3,
    },
  ],
};
