/** The plans of the agreement suite, in their short form; all options of a plan that change what is executed, in turn. */

import { SCHEDULE_NAMES, fewestChunks } from '../../src/program/schedules/index.js';

/** For a model of 3 layers with 4 heads, or of 2 layers with 4 key and value heads, and batches of 16. */
export const AGREEMENT_PLANS: readonly string[] = [
  // One rank: what changes the program without any collective.
  'data=1 microbatches=4',
  'data=1 microbatches=2 rematerialize=full',
  'data=1 microbatches=1 rematerialize=selective rematerialize-layers=1',
  // Data parallel.
  'data=2 microbatches=1',
  'data=4 microbatches=1 overlap-gradients=false',
  'data=8 microbatches=2',
  'data=4 microbatches=4 overlap-gradients=false rematerialize=matmuls',
  'data=2 microbatches=2 bucket=2kB',
  'data=2 microbatches=1 rematerialize=full rematerialize-layers=0-1',
  // Sharded parameters: the three stages, axes, tensors, launches, layers ahead.
  'data=2 microbatches=1 shard=optimizer',
  'data=4 microbatches=2 shard=optimizer overlap-gradients=false',
  'data=2 microbatches=2 shard=gradients',
  'data=8 microbatches=1 shard=gradients overlap-gradients=false',
  'data=2 microbatches=1 shard=parameters',
  'data=4 microbatches=2 shard=parameters',
  'data=8 microbatches=1 shard=parameters prefetch=0',
  'data=4 microbatches=1 shard=parameters prefetch=layer bucket=1kB rematerialize=full',
  'data=2 microbatches=2 rematerialize=full keep-products=*/out/kernel',
  'data=2 microbatches=2 shard=parameters shard-tensors=*/kernel',
  'data=2 microbatches=1 shard=gradients shard-minimum=300',
  'data=2,model=2 microbatches=1 shard=parameters shard-axes=model activations=sequence',
  'data=2,model=4 microbatches=1 shard=optimizer shard-axes=model activations=sequence',
  'data=4 microbatches=4 shard=parameters rematerialize=selective overlap-gradients=false',
  // The model axis in its three layouts.
  'model=2 microbatches=1',
  'model=4 microbatches=2',
  'model=2 microbatches=1 activations=sequence',
  'model=4 microbatches=1 activations=sequence rematerialize=full keep-products=*/out/kernel',
  'model=2 microbatches=2 activations=replicated',
  'model=4 microbatches=1 activations=replicated rematerialize=selective',
  'data=2,model=2 microbatches=1',
  'data=2,model=2 microbatches=2 activations=sequence',
  'data=2,model=2 microbatches=1 activations=replicated',
  'data=2,model=4 microbatches=1',
  'data=4,model=2 microbatches=2 activations=sequence rematerialize=matmuls',
  // Rings, one way round and both.
  'model=2 microbatches=1 linears=ring',
  'model=4 microbatches=1 linears=ring',
  'model=4 microbatches=2 linears=bidirectional rematerialize=selective',
  'model=4 microbatches=1 linears=bidirectional',
  'model=4 microbatches=1 linears=ring activations=sequence',
  'model=4 microbatches=2 linears=bidirectional activations=sequence',
  'model=2 microbatches=1 linears=ring rematerialize=full',
  'model=4 microbatches=1 linears=bidirectional rematerialize=matmuls',
  'data=2,model=2 microbatches=1 linears=ring',
  'data=2,model=4 microbatches=1 linears=bidirectional',
  'data=2,model=4 microbatches=2 linears=bidirectional activations=sequence',
  'data=4,model=2 microbatches=1 linears=ring overlap-gradients=false',
  // Rings with whole weight gradients.
  'model=2 microbatches=1 linears=ring-bulk',
  'model=4 microbatches=2 linears=ring-bulk activations=sequence',
  'data=2,model=4 microbatches=1 linears=ring-bulk activations=sequence rematerialize=full shard=optimizer',
  // Copies of what is sharded: nothing, each of the three stages, and shards over the copies too.
  'replica=2 microbatches=2',
  'replica=2,data=2 microbatches=1',
  'replica=2,data=2 microbatches=2 overlap-gradients=false',
  'replica=2,data=2 microbatches=2 shard=optimizer',
  'replica=2,data=2 microbatches=1 shard=gradients',
  'replica=2,data=2 microbatches=2 shard=gradients bucket=2kB',
  'replica=2,data=2 microbatches=1 shard=parameters',
  'replica=2,data=2 microbatches=2 shard=parameters rematerialize=full',
  'replica=2,data=4 microbatches=1 shard=parameters prefetch=0 overlap-gradients=false',
  'replica=2,data=2 microbatches=1 shard=parameters shard-axes=replica,data',
  'replica=2,model=2 microbatches=2 activations=sequence',
  'replica=2,model=2 microbatches=1 shard=parameters shard-axes=replica',
  'replica=2,data=2,model=2 microbatches=2 linears=ring shard=parameters',
  'replica=2,data=2,model=2 microbatches=1 linears=ring shard=gradients activations=sequence',
  // All together: the ViT-22B paper's plan, and others.
  'data=2,model=4 microbatches=1 linears=bidirectional shard=parameters shard-minimum=200',
  'data=2,model=4 microbatches=2 linears=bidirectional shard=parameters rematerialize=full',
  'data=2,model=2 microbatches=1 linears=ring shard=optimizer activations=sequence rematerialize=selective',
  'data=2,model=4 microbatches=2 linears=bidirectional shard=gradients bucket=4kB',
  'data=2,model=4 microbatches=2 linears=ring shard=parameters activations=sequence rematerialize-layers=1 rematerialize=full',
  'data=2,model=2 microbatches=1 shard=parameters activations=replicated',
];

/** Plans that need more layers than the decoder has. */
export const DEEP_PLANS: readonly string[] = [
  'data=4 microbatches=2 shard=parameters prefetch=2',
  'data=2,model=4 microbatches=2 linears=bidirectional shard=parameters rematerialize=full prefetch=2',
  'data=2 microbatches=1 rematerialize=full rematerialize-layers=0,2',
];

/** Tokens split over chips, for decoders of 8 tokens: with all that shards, sums or makes again what depends on them. */
export const SEQUENCE_PLANS: readonly string[] = [
  'sequence=2 microbatches=1',
  'sequence=4 microbatches=2 rematerialize=full',
  'data=2,sequence=2 microbatches=2',
  'data=2,sequence=2 microbatches=1 rematerialize=selective overlap-gradients=false',
  'replica=2,data=2,sequence=2 microbatches=2 shard=parameters shard-axes=data,sequence',
  'data=2,sequence=2 microbatches=2 shard=optimizer',
  'data=2,sequence=2 microbatches=2 shard=optimizer shard-axes=data,sequence',
  'data=2,sequence=2 microbatches=1 shard=gradients shard-axes=sequence bucket=2kB',
  'data=2,sequence=2 microbatches=2 shard=parameters shard-axes=data,sequence rematerialize=matmuls',
  'sequence=2,model=2 microbatches=1 activations=sequence',
  'sequence=2,model=2 microbatches=2 activations=replicated shard=parameters shard-axes=sequence',
  'data=2,sequence=2,model=2 microbatches=1 linears=ring',
  'data=2,sequence=2,model=2 microbatches=2 linears=ring activations=sequence shard=optimizer shard-axes=data,sequence',
];

/** Of a decoder in stages. */
export const SEQUENCE_PIPELINE_PLANS: readonly string[] = [
  'pipe=2,sequence=2 microbatches=4 schedule=interleaved-1f1b',
  'pipe=2,data=2,sequence=2 microbatches=2 schedule=zb-h1 shard=optimizer shard-axes=data,sequence',
];

/** Plans for a decoder whose one key and value head, and so whose kernel of it, is whole on every chip. */
export const MULTI_QUERY_PLANS: readonly string[] = [
  'data=2,model=2 microbatches=1 shard=parameters shard-axes=data,model',
  'data=2,model=2 microbatches=2 shard=optimizer shard-axes=data,model activations=sequence linears=ring',
  'model=4 microbatches=2 linears=bidirectional rematerialize=full',
  'data=2,model=4 microbatches=1 linears=bidirectional shard=gradients',
  'data=2,model=2 microbatches=2 activations=replicated overlap-gradients=false',
];

/** Plans in smaller types; rounding sets how close they come. */
export const ROUNDED_PLANS: readonly string[] = [
  'data=2 microbatches=1 compute=bf16',
  'data=2,model=2 microbatches=2 compute=bf16 linears=ring shard=parameters',
  'data=2 microbatches=2 compute=bf16 gradients=bf16 optimizer-state=bf16',
  'model=2 microbatches=1 compute=bf16 activations=sequence gradients=f32',
  'data=2 microbatches=1 compute=f16 loss-scale=1024',
  'data=2,model=4 microbatches=1 compute=f16 loss-scale=1024 shard=gradients linears=bidirectional',
  'data=2 microbatches=1 compute=bf16 parameters=bf16 optimizer-state=f32 shard=parameters',
  'replica=2,data=2 microbatches=2 compute=f16 loss-scale=1024 shard=parameters',
  'data=2 microbatches=2 compute=f16 parameters=bf16 gradients=f32 loss-scale=1024',
  'data=2 microbatches=2 compute=bf16 cast-parameters=once',
  'data=2,model=2 microbatches=1 compute=bf16 cast-parameters=once shard=optimizer shard-minimum=300',
];

/** So many layers of 8 to each virtual stage, not as many each. */
const UNEVEN: Readonly<Record<number, string>> = { 2: '3,5', 4: '0,3,4,1', 8: '0,2,1,1,1,1,2,0' };

/** Every schedule at 2 and at 4 stages, even and uneven, for models of 8 layers. */
const SCHEDULE_PLANS: readonly string[] = SCHEDULE_NAMES.flatMap((schedule) =>
  [2, 4].flatMap((stages) => {
    const start = `pipe=${stages} microbatches=${2 * stages} schedule=${schedule}`;
    return [`${start} stage-layers=even`, `${start} stage-layers=${UNEVEN[stages * fewestChunks(schedule)]!}`];
  }),
);

/** Pipelines with what else a plan has. */
export const PIPELINE_PLANS: readonly string[] = [
  ...SCHEDULE_PLANS,
  'pipe=2 microbatches=2 schedule=interleaved-1f1b virtual-stages=4',
  'pipe=2 microbatches=4 schedule=zb-2p schedule-memory=2 rematerialize=full',
  'pipe=2,data=2 microbatches=2',
  'pipe=2,data=2 microbatches=4 schedule=zb-v shard=parameters',
  'pipe=4 microbatches=8 overlap-transfers=false',
  'pipe=2,data=2 microbatches=4 schedule=interleaved-1f1b overlap-transfers=false',
  'pipe=2,data=2 microbatches=2 schedule=zb-h1 shard=optimizer overlap-gradients=false',
  'pipe=2,data=2 microbatches=2 schedule=interleaved-1f1b shard=gradients rematerialize=selective',
  'pipe=2,model=2 microbatches=2 schedule=zb-1p linears=ring activations=sequence',
  'pipe=2,model=2 microbatches=2 schedule=gpipe activations=replicated rematerialize=full rematerialize-layers=1,5-6',
  'pipe=2,data=2,model=2 microbatches=2 shard=parameters linears=ring bucket=2kB',
  'pipe=2,replica=2 microbatches=2 schedule=zb-v',
  'pipe=4,data=2 microbatches=4 schedule=zb-2p shard=parameters overlap-gradients=false',
  // In smaller types; rounding sets how close they come.
  'pipe=4 microbatches=4 compute=f16 loss-scale=1024',
  'pipe=2,data=2 microbatches=2 schedule=zb-v compute=f16 loss-scale=1024 cast-parameters=once shard=gradients',
  'pipe=2,data=2 microbatches=2 compute=bf16 cast-parameters=once',
  'pipe=2,data=2 microbatches=2 schedule=zb-v compute=bf16 cast-parameters=once shard=optimizer shard-minimum=300',
];
