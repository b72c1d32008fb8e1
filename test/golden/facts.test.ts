/** What holds of published runs on TPU v4 (`npm run facts` shows all): a change of a profile or of a cost is seen here. */
import { describe, expect, it } from 'vitest';
import { predict } from '../../bench/facts/predict.js';
import { MAXTEXT_22B, PALM, PALM_POD, PUBLISHED } from '../../bench/facts/published.js';

const mfu = (run: { readonly mfu: number }): number => 100 * run.mfu;

/** Percentage points. */
const CLOSE = 4;

describe('published utilizations, from one profile', () => {
  it("ViT-22B's lies among what its plans would reach, one of them within four points", () => {
    const [low, near, high] = [
      'data=64,model=16 microbatches=2 linears=ring rematerialize=full',
      'data=64,model=16 microbatches=16 linears=bidirectional shard=parameters shard-tensors=encoder/out/kernel',
      'data=256,model=4 microbatches=8 linears=bidirectional shard=parameters shard-minimum=1000000',
    ].map((plan) => predict({ model: 'vit-22b', chips: 1024, batch: 65536, plan }));
    expect([low!.fits, near!.fits, high!.fits]).toEqual([true, true, true]);
    expect(mfu(low!)).toBeLessThan(PUBLISHED.vit22b);
    expect(mfu(high!)).toBeGreaterThan(PUBLISHED.vit22b);
    expect(Math.abs(mfu(near!) - PUBLISHED.vit22b)).toBeLessThan(CLOSE);
  });

  it("MaxText's 22B is within four points, whatever type its gradients are reduced in", () => {
    const [wide, narrow] = MAXTEXT_22B.map((run) => {
      const { formulaParameters, tokensPerSecondPerChip, peakFlopsPerSecondPerChip } = predict(run);
      return (600 * formulaParameters * tokensPerSecondPerChip) / peakFlopsPerSecondPerChip;
    });
    expect(Math.abs(wide! - PUBLISHED.maxtext22b)).toBeLessThan(CLOSE);
    expect(Math.abs(narrow! - PUBLISHED.maxtext22b)).toBeLessThan(CLOSE);
  });

  it("PaLM's MFU and HFU are within four points, and two pods do nearly 1.95 times what one does", () => {
    const pods = predict(PALM);
    expect(Math.abs(mfu(pods) - PUBLISHED.palm.mfu)).toBeLessThan(CLOSE);
    expect(Math.abs(100 * pods.hfu - PUBLISHED.palm.hfu)).toBeLessThan(CLOSE);
    // What is computed again is as much of all as published: 57.8 over 46.2.
    expect(pods.hfu / pods.mfu).toBeCloseTo(PUBLISHED.palm.hfu / PUBLISHED.palm.mfu, 1);
    const gain = (2 * predict(PALM_POD).stepTimeSeconds) / pods.stepTimeSeconds;
    expect(Math.abs(gain - 1.95)).toBeLessThan(0.03);
    // Only the exchange of gradients lies between the two: what a pod does in itself is the same beside another.
    const { stepTimeSeconds, exposedCommunicationByAxisSeconds: exposed } = pods;
    expect(stepTimeSeconds - exposed.replica!).toBeCloseTo(predict(PALM_POD).stepTimeSeconds, 3);
  });

  it("ViT-e's lies among what data parallelism alone would reach, which is less than ViT-22B's best", () => {
    const best = predict({
      model: 'vit-22b',
      chips: 1024,
      batch: 65536,
      plan: 'data=256,model=4 microbatches=8 linears=bidirectional shard=parameters shard-minimum=1000000',
    });
    const [low, near, high] = [
      'data=1024 microbatches=8 rematerialize=selective shard=optimizer optimizer-state=bf16',
      'data=1024 microbatches=2 shard=parameters',
      'data=256 microbatches=4 shard=parameters optimizer-state=bf16',
    ].map((plan) => predict({ model: 'vit-e', chips: Number(/data=(\d+)/.exec(plan)![1]), batch: 16384, plan }));
    expect([low!.fits, near!.fits, high!.fits]).toEqual([true, true, true]);
    expect(Math.abs(mfu(near!) - PUBLISHED.vitE)).toBeLessThan(CLOSE);
    expect(mfu(low!)).toBeLessThan(PUBLISHED.vitE);
    expect(mfu(high!)).toBeGreaterThan(PUBLISHED.vitE);
    expect(mfu(high!)).toBeLessThan(mfu(best));
  });
});

describe("what ViT-e's kernels lose, nothing exchanged", () => {
  const alone = (model: Parameters<typeof predict>[0]['model']): number =>
    mfu(predict({ model, chips: 1, batch: 16, plan: 'data=1 microbatches=1 rematerialize=full' }));
  const asItIs = alone('vit-e');

  it('is a little because of heads 112 wide, of which an eighth of the matrix unit is wasted in attention alone', () => {
    const gain = alone({ preset: 'vit-e', heads: 14 }) / asItIs - 1;
    expect(gain).toBeGreaterThan(0);
    expect(gain).toBeLessThan(1 / 7);
  });

  it('is more because of narrow matmuls: layers as wide as those of ViT-22B reach more than whole heads do', () => {
    const wide = alone({ preset: 'vit-e', width: 6144, mlpWidth: 24576, heads: 48, depth: 8 });
    expect(wide).toBeGreaterThan(alone({ preset: 'vit-e', heads: 14 }));
  });
});

describe('choices of layers', () => {
  it('parallel layers are 10 to 20 % faster than serial ones in PaLM', () => {
    const serial = predict({ ...PALM, model: { preset: 'palm-540b', parallelLayers: false } });
    const gain = serial.stepTimeSeconds / predict(PALM).stepTimeSeconds - 1;
    expect(gain).toBeGreaterThan(0.1);
    expect(gain).toBeLessThan(0.2);
  });

  it('asynchronous linears are 1.1 to 1.5 times as fast where eight chips share a layer', () => {
    const run = { model: 'vit-22b', chips: 1024, batch: 65536 };
    const plan = 'data=128,model=8 microbatches=16 shard=parameters shard-minimum=1000000';
    const asynchronous = predict({ ...run, plan: `${plan} linears=bidirectional` });
    const ratio = predict({ ...run, plan }).stepTimeSeconds / asynchronous.stepTimeSeconds;
    expect(ratio).toBeGreaterThan(1.1);
    expect(ratio).toBeLessThan(1.5);
  });

  it('leaving out biases is never slower, and not by more than was published', () => {
    const run = {
      chips: 1024,
      batch: 65536,
      plan: 'data=128,model=8 linears=bidirectional microbatches=8 shard=parameters',
    };
    const biased = predict({ ...run, model: { preset: 'vit-22b', omitBiases: false } });
    const gain = biased.stepTimeSeconds / predict({ ...run, model: 'vit-22b' }).stepTimeSeconds - 1;
    expect(gain).toBeGreaterThanOrEqual(0);
    expect(gain).toBeLessThan(0.03);
  });
});
