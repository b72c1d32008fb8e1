/**
 * Published runs on TPU v4, as plans: what a paper states is fixed, what it leaves open is a set of runs. Nothing here is
 * a cost: those come from the profiles alone.
 */
import type { Run } from './predict.js';

/** In percent. */
export const PUBLISHED = {
  /** Dehghani et al. 2023 (ViT-22B), §3. */
  vit22b: 54.9,
  /** The same, measured by them. */
  vitE: 44.0,
  /** AI-Hypercomputer/maxtext, MaxText/configs/v4/README.md: 1x v4-128, by 6·N a token. */
  maxtext22b: 56.7,
  /** Chowdhery et al. 2022 (PaLM), §4.1. */
  palm: { mfu: 46.2, hfu: 57.8 },
} as const;

const ASYNCHRONOUS = ['ring', 'bidirectional'];

/**
 * ViT-22B (Dehghani et al. 2023, §3–4): 1,024 chips as t × k, batch 65,536, asynchronous linear layers, "some large
 * tensors" sharded over t. Not stated: k, which tensors, whether activations are recomputed, and in how many parts a
 * step is computed; a part has to fit.
 */
export function vit22bRuns(modelAxes: readonly number[] = [4, 8, 16]): Run[] {
  const sharded = ['', 'shard=parameters shard-tensors=encoder/out/kernel', 'shard=parameters shard-minimum=1000000'];
  const recomputed = ['', 'rematerialize=selective', 'rematerialize=full'];
  return modelAxes.flatMap((k) =>
    ASYNCHRONOUS.flatMap((linears) =>
      sharded.flatMap((shard) =>
        recomputed.map((rematerialize) => ({
          model: 'vit-22b',
          chips: 1024,
          batch: 65536,
          plan: `data=${1024 / k},model=${k} linears=${linears} ${shard} ${rematerialize}`.trim(),
        })),
      ),
    ),
  );
}

/**
 * ViT-e, "data-parallel only" (Dehghani et al. 2023, §3), batch 16,384 (Chen et al. 2022, PaLI). Not stated: the chips, and
 * so the batch of each, the optimizer's precision and what of its state and of the parameters is sharded, and
 * whether activations are recomputed.
 */
export function vitERuns(): Run[] {
  const states = ['', 'optimizer-state=bf16'];
  const shards = ['', 'shard=optimizer', 'shard=parameters'];
  return [128, 256, 512, 1024].flatMap((chips) =>
    states.flatMap((state) =>
      shards.flatMap((shard) =>
        ['', 'rematerialize=selective', 'rematerialize=full'].map((rematerialize) => ({
          model: 'vit-e',
          chips,
          batch: 16384,
          plan: `data=${chips} ${shard} ${state} ${rematerialize}`.replace(/ +/g, ' ').trim(),
        })),
      ),
    ),
  );
}

/**
 * MaxText's 22B on one v4-128 slice, which is 64 chips (MaxText/configs/1xv4-128.sh as of the table in its README): fully
 * sharded, 16 sequences a chip, everything recomputed. The script itself notes 165 TFLOP/s, which are 60.0 %. Its layers are the body of one loop (`scan_layers`), which gathers
 * what it computes with, so no layer's parameters are gathered ahead. Not stated: the type that gradients, computed in
 * bf16, are reduced in.
 */
export const MAXTEXT_22B: readonly Run[] = ['', 'gradients=bf16'].map((gradients) => ({
  model: 'maxtext-22b',
  chips: 64,
  batch: 1024,
  plan: `data=64 microbatches=1 shard=parameters prefetch=0 rematerialize=full ${gradients}`.trim(),
}));

/**
 * PaLM 540B (Chowdhery et al. 2022, §4): two pods of 3,072 chips, each with a copy of all that is sharded in it by 12-way
 * model and 256-way fully sharded data parallelism, batch 2,048 of which each pod has half, "weights are all-gathered" in
 * the forward pass, with no word of gathering ahead, one activation kept a layer. The pods exchange gradients after the
 * backward pass, not beside it: 1.3 GB a step and pair of hosts, of 768 a pod, which is two bytes a parameter.
 */
export const PALM: Run = {
  model: 'palm-540b',
  chips: 6144,
  batch: 2048,
  plan: 'replica=2,data=256,model=12 microbatches=1 shard=parameters prefetch=0 rematerialize=full gradients=bf16 overlap-gradients=false',
};

/** One pod with its half of the batch. Two pods reached 1.95 times the throughput of one (ibid.). */
export const PALM_POD: Run = { ...PALM, chips: 3072, batch: 1024, plan: PALM.plan.replace('replica=2,', '') };
