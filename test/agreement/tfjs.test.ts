import { describe, expect, test } from 'vitest';
import { MeshwrightError } from '../../src/errors.js';
import { createKernelFamily } from '../../src/runtime/kernels/index.js';
import { compare } from './suite.js';

const SIZE = { batch: 8, steps: 2 };

/** A plan with most in one; ranks beside each other on threads of one process. */
const SAMPLE = [
  ['vit', 'data=2,model=2 microbatches=1 linears=ring shard=optimizer activations=sequence rematerialize=selective'],
  ['decoder', 'replica=2,data=2 microbatches=2 shard=parameters rematerialize=full'],
] as const;

for (const family of ['tfjs-wasm', 'tfjs-node'] as const) {
  const missing = await createKernelFamily(family).then(
    (found) => found.dispose(),
    (error: unknown) => {
      if (error instanceof MeshwrightError && error.code === 'DEVICE_MISSING') return error.detail.got;
      throw error;
    },
  );
  const title = missing === undefined ? family : `${family}, which is not here (${missing})`;
  describe.skipIf(missing !== undefined)(`on ${title}, a plan gives what one rank gives`, { timeout: 60_000 }, () => {
    for (const [model, plan] of SAMPLE) {
      test(`${model}: ${plan}`, async () => {
        for (const { worst, bound, sentBytes, countedBytes } of await compare({ model, plan, family }, SIZE)) {
          expect(worst.error, worst.name).toBeLessThanOrEqual(bound);
          expect(sentBytes).toBeCloseTo(countedBytes, 3);
        }
      });
    }
  });
}
