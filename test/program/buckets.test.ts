/** Buckets of gathers and reductions hold whole tensors: what a launch brings, or what it begins with. */
import { describe, expect, it } from 'vitest';
import { lowerJob, parsePlanInput, resolveJob } from '../../src/job/index.js';
import type { Op, Program } from '../../src/program/index.js';
import { forEachOp, typeBytes } from '../../src/program/index.js';

const lowered = (plan: string): Program =>
  lowerJob(
    resolveJob(
      {
        model: 'vit-tiny',
        hardware: 'tpu-v4',
        chips: 4,
        batch: 16,
        plan: parsePlanInput(`data=4 microbatches=1 compute=f32 gradients=f32 ${plan}`, 'plan'),
      },
      () => true,
    ),
  );

/** Of each launch of a kind in the layers the bytes of its tensors, whole. */
function launches(program: Program, name: 'all_gather' | 'reduce_scatter' | 'all_reduce'): number[][] {
  const found: number[][] = [];
  const collect = (op: Op): void => {
    if (op.name !== name) return;
    const whole = name === 'all_gather' ? op.results : op.operands;
    found.push(whole.map((id) => typeBytes(program.values[id]!.type)));
  };
  program.ops.filter(({ name: one }) => one === 'repeat').forEach(({ region }) => forEachOp(region!.ops, collect));
  return found;
}
const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0);

describe.each([
  ['shard=parameters prefetch=0', 'all_gather'],
  ['shard=parameters prefetch=0', 'reduce_scatter'],
  ['overlap-gradients=true', 'all_reduce'],
] as const)('%s, of each %s', (plan, name) => {
  const whole = launches(lowered(plan), name);

  it('a launch holds no more than the bucket, unless it is of one tensor', () => {
    expect(whole.length).toBeGreaterThan(0);
    for (const divisor of [2, 3, 8]) {
      const bucket = Math.floor(Math.max(...whole.map(total)) / divisor);
      const cut = launches(lowered(`${plan} bucket=${bucket}B`), name);
      expect(cut.length).toBeGreaterThan(whole.length);
      for (const sizes of cut) expect(sizes.length === 1 || total(sizes) <= bucket).toBe(true);
      // The backward pass gathers only what it reads, which is told by launch.
      expect(total(cut.map(total))).toBeLessThanOrEqual(total(whole.map(total)));
      expect(total(cut.map(total))).toBeGreaterThan(0.99 * total(whole.map(total)));
    }
  });

  it('a bucket that holds all of a layer changes nothing', () => {
    const bucket = Math.max(...whole.map(total));
    expect(launches(lowered(`${plan} bucket=${bucket}B`), name)).toEqual(whole);
  });
});
