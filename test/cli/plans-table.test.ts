/** Tables of plans in lines that people have: whole labels, and figures as far as there is room. */
import { describe, expect, test } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import type { TablePlan } from '../../src/cli/plans-table.js';
import { plansTable } from '../../src/cli/plans-table.js';
import { checkPlan, parsePlan, resolveTask } from '../../src/job/index.js';

const LABELS = [
  'data=128,model=8 microbatches=16 linears=bidirectional shard=optimizer',
  'data=128,model=8 microbatches=8 rematerialize=selective linears=bidirectional shard=parameters',
  'data=64,model=16 microbatches=1024 rematerialize=full shard=parameters',
];

const task = resolveTask({ model: 'vit-22b', hardware: 'tpu-v4', chips: 1024, batch: 65536 });
const assessor = new Assessor();
const PLANS = LABELS.map((label, index): TablePlan => {
  const job = checkPlan(task, parsePlan(label));
  const figures = assessor.predicted(job, assessor.simulate(job));
  return { rank: index + 1, plan: label, job, figures, boundShare: 0.65 };
});

/** The words of each row's label, over all its lines. */
function labelsIn([head, ...lines]: readonly string[]): string[] {
  const from = head!.indexOf('plan');
  return lines
    .join('\n')
    .split(/^(?= ?\d)/m)
    .map((row) => row.split('\n').flatMap((line) => line.slice(from).trim().split(/ {2,}/)[0]!.split(' ')))
    .map((words) => words.filter(Boolean).join(' '));
}

describe('a table of plans', () => {
  test.each([80, 120, 200])('fits %i columns with all words of its labels', (width) => {
    for (const isPriced of [false, true]) {
      const table = plansTable(PLANS, width, isPriced);
      expect(Math.max(...table.map(({ length }) => length))).toBeLessThanOrEqual(width);
      expect(labelsIn(table)).toEqual(LABELS);
    }
  });

  test('has step and memory however short lines are, cost and energy where they are asked for, all else where it fits', () => {
    const titles = (width: number, isPriced = false): string[] =>
      plansTable(PLANS, width, isPriced)[0]!.trim().split(/ {2,}/);
    expect(titles(80)).toEqual(['plan', 'step', 'MFU', 'memory']);
    expect(titles(80, true)).toEqual(['plan', 'step', 'memory', 'cost', 'energy']);
    expect(titles(120)).toEqual(['plan', 'step', '8 of 10 runs', 'MFU', 'compute', 'exposed', 'bound', 'memory']);
    const all = ['plan', 'step', '8 of 10 runs', 'MFU', 'compute', 'exposed', 'overhead', 'bound', 'memory'];
    expect(titles(200, true)).toEqual([...all, 'cost', 'energy']);
  });
});
