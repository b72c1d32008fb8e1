/** Every option that a combination can't honour is refused with the reason. */
import { describe, expect, test } from 'vitest';
import { fitPlan, formatPlan, parsePlan, parsePlanInput, resolveJob, resolveTask } from '../../src/job/index.js';

const resolve = (plan: string, chips: number, hardware: string) =>
  resolveJob({ model: 'vit-tiny', hardware, chips, batch: 64, plan: parsePlanInput(plan, 'plan') }, () => true);
const refusal = (plan: string, chips: number, hardware = 'h100-80gb-sxm'): string => {
  try {
    return formatPlan(resolve(plan, chips, hardware).plan);
  } catch (error) {
    return (error as Error).message;
  }
};

describe('refused, with what would be right:', () => {
  test.each([
    [
      'activations=sequence',
      'data=8 activations=sequence',
      'plan.activations: expected width on data=8, where model is 1 and layers are whole, got sequence; give the mesh a larger model axis, or leave it out',
    ],
    [
      'linears=ring without a model axis',
      'data=8 linears=ring',
      'plan.linears: expected synchronous on data=8, where model is 1 and layers are whole, got ring; give the mesh a larger model axis, or leave it out',
    ],
    [
      'linears=bidirectional where nothing is gathered or scattered',
      'data=2,model=4 activations=replicated linears=bidirectional',
      'plan.linears: expected synchronous with activations=replicated, whose linear layers neither gather nor scatter, got bidirectional; use activations=width or activations=sequence',
    ],
    [
      'layers of no rematerialization',
      'data=8 rematerialize-layers=0-1',
      'plan.rematerializeLayers: expected all with rematerialize=none, got 0-1; say what these layers make again: rematerialize=selective, matmuls or full',
    ],
    [
      'layers that the model lacks',
      'data=8 rematerialize=full rematerialize-layers=2-5',
      'plan.rematerializeLayers: expected layers of 0 to 3, which the model has, got 4-5',
    ],
    [
      'shards over an axis of one chip',
      'model=4,data=1 shard=parameters',
      'plan.shard: expected none on model=4, where data is 1, got parameters; use shard-axes=model, or leave it out',
    ],
    [
      'shards over two axes, one of which is of one chip',
      'data=8 shard=optimizer shard-axes=data,model',
      'plan.shardAxes: expected data on data=8, where model is 1, got data,model',
    ],
    [
      'shards on one chip',
      'data=1 shard=gradients',
      'plan.shard: expected none on data=1, where data is 1, got gradients; leave it out',
    ],
    [
      'axes of no shards',
      'model=4 shard-axes=model',
      'plan.shardAxes: expected data with shard=none, got model; say what is sharded: shard=optimizer, gradients or parameters',
    ],
    [
      'tensors of no shards',
      'data=8 shard-tensors=encoder/*',
      'plan.shardTensors: expected all with shard=none, got encoder/*; say what is sharded: shard=optimizer, gradients or parameters',
    ],
    [
      'a minimum of no shards',
      'data=8 shard-minimum=1000',
      'plan.shardMinimum: expected 0 with shard=none, got 1000; say what is sharded: shard=optimizer, gradients or parameters',
    ],
    [
      'a pattern that no parameter has',
      'data=8 shard=gradients shard-tensors=encoder/*/kernel,encodr/in/kernel',
      'plan.shardTensors: expected patterns that a parameter of the model has, got encodr/in/kernel; did you mean encoder/in/kernel?',
    ],
    [
      'a minimum that leaves every tensor whole',
      'data=8 shard=gradients shard-tensors=classifier/* shard-minimum=2000',
      'plan.shardMinimum: expected at most 1536, the elements of the largest tensor that is sharded, got 2000',
    ],
    [
      'prefetching what is not gathered',
      'data=8 shard=gradients prefetch=2',
      'plan.prefetch: expected 1 with shard=gradients, which gathers no parameters ahead, got 2; use shard=parameters',
    ],
    [
      'prefetching more layers than there are',
      'data=8 shard=parameters prefetch=4',
      'plan.prefetch: expected fewer than the 4 layers of the model, got 4',
    ],
    [
      'a bucket where no gradients are reduced',
      'model=4 bucket=25MB',
      "plan.bucket: expected none on model=4, where neither parameters are gathered nor layers' gradients reduced, got 25MB; leave it out",
    ],
    [
      'both ways round two chips',
      'data=2,model=2 linears=bidirectional',
      'plan.linears: expected ring on model=2, where both ways lead to the same neighbour, got bidirectional',
    ],
    [
      'shards where nothing divides',
      'data=8 microbatches=2 shard=parameters shard-tensors=classifier/bias',
      'plan.shard: expected none, since no tensor that is chosen has a dimension left to shard over data, got parameters',
    ],
    [
      'an axis that no chosen tensor can be sharded over',
      'data=2,model=2 shard=optimizer shard-axes=data,model shard-tensors=*/kernel',
      'plan.shardAxes: expected data, since no tensor that is chosen has a dimension left to shard over model, got data,model',
    ],
    [
      'layers ahead where no layer is sharded',
      'data=2 shard=parameters shard-tensors=embed/kernel prefetch=2',
      'plan.prefetch: expected 1, since no tensor of the layers is sharded, got 2',
    ],
    [
      'a bucket on one chip',
      'data=1 bucket=25MB',
      "plan.bucket: expected none on data=1, where neither parameters are gathered nor layers' gradients reduced, got 25MB; leave it out",
    ],
    [
      'a schedule of no stages',
      'data=8 schedule=gpipe',
      'plan.schedule: expected 1f1b on data=8, which has no stages, got gpipe; give the mesh an axis pipe, or leave it out',
    ],
    [
      'a limit of no stages',
      'data=8 schedule-memory=4',
      'plan.scheduleMemory: expected usual on data=8, which has no stages, got 4; give the mesh an axis pipe, or leave it out',
    ],
    [
      'more virtual stages than layers',
      'pipe=4 microbatches=4 schedule=interleaved-1f1b',
      'plan.mesh: expected at most 6 virtual stages for 4 layers, the first and the last of which may have none, got 8, with schedule=interleaved-1f1b',
    ],
    [
      'one part of a stage where a schedule wants several',
      'pipe=2 microbatches=4 schedule=interleaved-1f1b virtual-stages=1',
      'plan.virtualStages: expected at least 2 for interleaved-1f1b, got 1',
    ],
    [
      'several where it wants one',
      'pipe=2 microbatches=4 virtual-stages=2',
      'plan.virtualStages: expected 1 for 1f1b, got 2',
    ],
    [
      'a limit of a schedule without a choice',
      'pipe=2 microbatches=4 schedule-memory=4',
      'plan.scheduleMemory: expected usual with schedule=1f1b, whose order leaves no choice of what is kept, got 4; use schedule=zb-1p, zb-2p or zb-v, or leave it out',
    ],
    [
      'less kept than an order keeps',
      'pipe=2 microbatches=4 schedule=zb-v schedule-memory=1',
      'plan.scheduleMemory: expected at least 2, which zb-v keeps of 2 stages and 4 microbatches, got 1; use schedule=zb-1p to keep fewer, or leave it out',
    ],
    [
      'zero-bubble stages that wait for transfers',
      'pipe=2 microbatches=4 schedule=zb-1p overlap-transfers=false',
      'plan.overlapTransfers: expected true with schedule=zb-1p, whose weight gradients are there to fill the time of transfers, got false; leave it out',
    ],
    [
      'transfers between no stages',
      'data=8 overlap-transfers=false',
      'plan.overlapTransfers: expected true on data=8, which has no stages, got false; give the mesh an axis pipe, or leave it out',
    ],
    [
      'layers that do not add up',
      'pipe=2 microbatches=4 stage-layers=2,3',
      'plan.stageLayers: expected 2 counts, one a virtual stage, that add up to the 4 layers of the model, got 2,3',
    ],
    [
      'an inner stage without layers',
      'pipe=4 microbatches=4 stage-layers=2,0,1,1',
      'plan.stageLayers: expected a layer at least on each virtual stage but the first and the last, got 2,0,1,1',
    ],
    [
      'stages that cannot be even',
      'pipe=3 microbatches=4 stage-layers=even',
      "plan.stageLayers: expected balanced, since 3 virtual stages don't divide 4 layers, got even",
    ],
    [
      'stages of even modules, one without layers',
      'pipe=4 microbatches=4 stage-layers=even-modules',
      'plan.stageLayers: expected balanced, since 4 virtual stages of as many modules leave one without a layer, got even-modules',
    ],
    [
      'sums over chips in a type of their own, of gradients that are reduced meanwhile',
      'data=8 microbatches=1 gradients=bf16 gradient-reduction=f32',
      'plan.precision.gradientReduction: expected bf16, as gradients=bf16 says, where they are not reduced after the backward pass, got f32; set gradients, or overlap-gradients=false with shard=none or shard=optimizer',
    ],
    [
      'layers ahead that a stage does not have',
      'pipe=2,data=2 microbatches=4 shard=parameters prefetch=2',
      'plan.prefetch: expected fewer than 2, the most layers that a virtual stage has, got 2',
    ],
    [
      'gradients after the backward pass, on one chip',
      'data=1 overlap-gradients=false',
      'plan.overlapGradients: expected true on data=1, where no other chips have gradients of the same layers, got false; leave it out',
    ],
    [
      'copies of parameters in their own type',
      'data=8 compute=f32 cast-parameters=once',
      'plan.castParameters: expected where-used with parameters=f32, the type that they are used in, got once; leave it out',
    ],
    [
      'copies of parameters that are gathered layer by layer',
      'data=8 compute=bf16 shard=parameters cast-parameters=once',
      'plan.castParameters: expected where-used with shard=parameters, which casts a layer before it gathers it, got once; leave it out',
    ],
    [
      'f16 gradients that no loss scale keeps in range',
      'data=8 compute=bf16 gradients=f16',
      'plan.precision.gradients: expected bf16 or f32 with compute=bf16: only compute=f16 scales the loss so that gradients fit f16, got f16',
    ],
    [
      'f16 optimizer state',
      'data=8 compute=f16 optimizer-state=f16',
      'plan.precision.optimizer: expected bf16 or f32: squares of small gradients vanish in f16, got f16',
    ],
    [
      'f64 gradients of f32 parameters',
      'data=8 gradients=f64',
      'plan.precision.gradients: expected f32 or less with parameters=f32, which every update is rounded to, got f64',
    ],
    [
      'f64 optimizer state of f32 parameters',
      'data=8 optimizer-state=f64',
      'plan.precision.optimizer: expected f32 or less with parameters=f32, which every update is rounded to, got f64',
    ],
    [
      'a loss scale with bf16',
      'data=8 compute=bf16 loss-scale=1024',
      'plan.lossScale: expected 65536 with compute=bf16: only f16 scales the loss, got 1024; use compute=f16, or leave it out',
    ],
    [
      'an interval of loss scales with bf16',
      'data=8 compute=bf16 loss-scale-interval=100',
      'plan.lossScaleInterval: expected 2000 with compute=bf16: only f16 scales the loss, got 100; use compute=f16, or leave it out',
    ],
  ])('%s', (_, plan, message) => {
    const { pipe = 1, data = 1, model = 1 } = parsePlanInput(plan, 'plan').mesh ?? {};
    expect(refusal(plan, pipe * data * model)).toBe(`PLAN_INVALID at ${message}`);
  });

  test('stages without a count of microbatches', () => {
    expect(refusal('pipe=2', 2)).toBe(
      'JOB_INVALID at plan.microbatches: expected a count, since the bubble of a pipeline hangs on it, got nothing; give some times as many as there are stages',
    );
  });

  test('a compute type that the hardware has no rate for', () => {
    expect(refusal('data=8 compute=f16', 8, 'tpu-v4')).toBe(
      'DTYPE_UNSUPPORTED at plan.precision.compute: expected a type that tpu-v4 computes in: f32, bf16, got f16; a100-40gb-sxm, a100-80gb-sxm, b200-180gb-sxm, h100-80gb-sxm, h100-96gb-sxm-500w, h200-141gb-sxm have it',
    );
  });
});

test('a default is honoured wherever it is given', () => {
  const defaults =
    'rematerialize=none rematerialize-layers=all activations=width linears=synchronous shard=none shard-axes=data ' +
    'shard-tensors=all shard-minimum=0 prefetch=1 bucket=none overlap-gradients=true cast-parameters=where-used loss-scale=65536 ' +
    'loss-scale-interval=2000 schedule=1f1b virtual-stages=fewest stage-layers=balanced schedule-memory=usual overlap-transfers=true';
  expect(refusal(`data=1 microbatches=1 ${defaults}`, 1)).toBe('data=1 microbatches=1');
});

test('what each other option needs, it has', () => {
  for (const plan of [
    'data=2,model=4 microbatches=1 activations=sequence linears=bidirectional',
    'data=2,model=4 microbatches=1 activations=replicated',
    'model=4 microbatches=1 shard=parameters shard-axes=model prefetch=0',
    'data=2,model=2 microbatches=2 shard=optimizer shard-tensors=*/kernel shard-minimum=100',
    'data=8 microbatches=1 shard=gradients bucket=1MB overlap-gradients=false',
    'data=8 microbatches=1 compute=f16 gradients=f16 loss-scale=1024 loss-scale-interval=10',
    'data=8 microbatches=1 compute=f16 parameters=bf16 gradients=f32 optimizer-state=f32',
    'data=8 microbatches=1 shard=optimizer overlap-gradients=false gradients=bf16 gradient-reduction=f32',
    'data=8 microbatches=1 rematerialize=matmuls rematerialize-layers=3',
    'pipe=2,data=2,model=2 microbatches=4 schedule=gpipe stage-layers=3,1',
    'pipe=2 microbatches=4 schedule=zb-v stage-layers=even schedule-memory=3',
    'pipe=2 microbatches=4 schedule=interleaved-1f1b virtual-stages=3 stage-layers=first-and-last-fewer',
    'pipe=2 microbatches=4 stage-layers=even-modules',
  ]) {
    const { pipe = 1, data = 1, model = 1 } = parsePlanInput(plan, 'plan').mesh!;
    expect(refusal(plan, pipe * data * model)).toBe(plan);
  }
});

describe('a wish for many plans', () => {
  const task = (chips: number) => resolveTask({ model: 'vit-tiny', hardware: 'h100-80gb-sxm', chips, batch: 64 });
  const fit = (wish: string, chips: number) => {
    const { plan, dropped } = fitPlan(task(chips), parsePlan(`${wish}`));
    return [formatPlan(plan), ...dropped.map(({ option }) => option)];
  };

  test('loses what has no effect on a mesh, and what hangs on it', () => {
    expect(fit('data=8 microbatches=1 activations=sequence linears=ring', 8)).toEqual([
      'data=8 microbatches=1',
      'activations',
      'linears',
    ]);
    expect(fit('model=4 microbatches=1 shard=parameters shard-minimum=10 prefetch=2 bucket=1MB', 4)).toEqual([
      'model=4 microbatches=1',
      'shard',
      'bucket',
    ]);
    expect(fit('model=4 microbatches=1 shard=parameters shard-axes=data,model prefetch=2', 4)).toEqual([
      'model=4 microbatches=1 shard=parameters shard-axes=model prefetch=2',
      'shardAxes',
    ]);
  });

  test('keeps what has an effect', () => {
    const wish = 'data=2,model=4 microbatches=1 activations=sequence linears=ring shard=gradients';
    expect(fit(wish, 8)).toEqual([wish]);
  });

  test('is refused where it is wrong on any mesh', () => {
    expect(() => fit('data=8 microbatches=1 rematerialize=full rematerialize-layers=9', 8)).toThrow(
      /^PLAN_INVALID at plan\.rematerializeLayers/,
    );
  });
});
