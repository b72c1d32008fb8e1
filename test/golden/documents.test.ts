/**
 * Simulation documents to the last digit, each by its step time and a digest of all that it says: where one changes, so
 * did a profile, a lowering or a cost, and the commit says which. `npx vitest run test/golden --update` takes them over.
 */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import type { JobInput } from '../../src/job/index.js';
import { parsePlanInput } from '../../src/job/index.js';

function documentOf(input: Omit<JobInput, 'plan'>, plan: string): string {
  const assessor = new Assessor();
  const { simulation } = assessor.assess(assessor.resolve({ ...input, plan: parsePlanInput(plan, 'plan') }));
  const digest = createHash('sha256').update(JSON.stringify(simulation)).digest('hex');
  return `${simulation.stepTimeSeconds} s, ${digest.slice(0, 16)}`;
}

it('ViT-22B as its paper trained it', () => {
  const input = { model: 'vit-22b', hardware: 'tpu-v4', chips: 1024, batch: 65536 };
  const plan = 'data=64,model=16 slice=8x8x16 microbatches=32 linears=bidirectional shard=parameters';
  expect(documentOf(input, plan)).toMatchInlineSnapshot(`"16.2383089318 s, bcb43bf451026e8e"`);
});

it('PaLM 540B on two pods', () => {
  const input = { model: 'palm-540b', hardware: 'tpu-v4', chips: 6144, batch: 2048 };
  const plan = 'data=512,model=12 microbatches=1 shard=parameters prefetch=0 rematerialize=full';
  expect(documentOf(input, plan)).toMatchInlineSnapshot(`"18.8653390536 s, 2d1eda92ca65fdbc"`);
});

it('GPT-3 on 64 A100, nodes of eight', () => {
  const input = { model: 'gpt3-175b', hardware: 'a100-80gb-sxm', chips: 64, batch: 64 };
  const plan = 'data=8,model=8 microbatches=8 activations=sequence rematerialize=selective shard=optimizer';
  expect(documentOf(input, plan)).toMatchInlineSnapshot(`"16.8617602241 s, 7f8ef11162881620"`);
});
