/** Which parameters an optimizer's weight decay is of. */
import { describe, expect, it } from 'vitest';
import { checkPlan, lowerJob, parsePlan, resolveTask } from '../../src/job/index.js';
import type { JobInput } from '../../src/job/index.js';
import { forEachOp } from '../../src/program/index.js';

/** By parameter. */
function decays(optimizer: JobInput['optimizer']): ReadonlyMap<string, number> {
  const task = resolveTask({ model: 'vit-tiny', hardware: 'local', batch: 4, ...(optimizer && { optimizer }) });
  const found = new Map<string, number>();
  forEachOp(lowerJob(checkPlan(task, parsePlan('data=1 microbatches=1', 'plan'))).ops, ({ name, id, attributes }) => {
    if (name === 'adamw' || name === 'sgd')
      found.set(id.replace('update/', ''), (attributes as { weightDecay: number }).weightDecay);
  });
  return found;
}

describe.each(['adamw', 'sgd'] as const)('weight decay of %s', (kind) => {
  const rates = { kind, weightDecay: 0.25, classifierWeightDecay: 0.5 };
  const expected = (name: string): number => (name.startsWith('classifier/') ? 0.5 : 0.25);

  it('is of kernels alone unless said otherwise', () => {
    for (const [name, rate] of decays(rates))
      expect([name, rate]).toEqual([name, /kernel$/.test(name) ? expected(name) : 0]);
  });

  it('is of all parameters where the job says so', () => {
    const all = decays({ ...rates, decayed: 'all' });
    expect([...all.keys()]).toEqual([...decays(rates).keys()]);
    for (const [name, rate] of all) expect([name, rate]).toEqual([name, expected(name)]);
  });
});
