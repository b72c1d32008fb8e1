/** The type that gradients are reduced over chips in, where it is not the one that they are added up in. */
import { describe, expect, it } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import { lowerJob, parsePlanInput } from '../../src/job/index.js';
import { forEachOp } from '../../src/program/index.js';

const assessor = new Assessor();

/** Types of what the collectives over `data` reduce, and of what the optimizer gets. */
function typesOf(plan: string): { readonly reduced: Set<string>; readonly updates: Set<string> } {
  const job = assessor.resolve({
    model: { preset: 'vit-tiny' },
    hardware: 'h100-80gb-sxm',
    chips: 4,
    batch: 64,
    plan: parsePlanInput(`data=4 microbatches=2 overlap-gradients=false gradients=bf16 ${plan}`, 'plan'),
  });
  const { ops, values } = lowerJob(job);
  const reduced = new Set<string>();
  const updates = new Set<string>();
  forEachOp(ops, ({ name, phase, operands, results }) => {
    const isSum = name === 'reduce_scatter' || name === 'all_reduce';
    if (isSum && phase === 'reduce')
      for (const id of results) {
        const { shape, dtype } = values[id]!.type;
        // The loss, a scalar, is summed too.
        if (shape.length > 0) reduced.add(dtype);
      }
    if (name === 'adamw') updates.add(values[operands[1]!]!.type.dtype);
  });
  return { reduced, updates };
}

describe.each(['shard=none', 'shard=optimizer'])('gradient-reduction=f32 with %s', (shard) => {
  it('sums over chips in f32, and gives the optimizer what was added up in bf16', () => {
    const usual = typesOf(shard);
    const wide = typesOf(`${shard} gradient-reduction=f32`);
    expect(usual.reduced).toEqual(new Set(['bf16']));
    expect(wide.reduced).toEqual(new Set(['f32']));
    expect(wide.updates).toEqual(usual.updates);
  });
});
