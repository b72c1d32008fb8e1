import { expect, test } from 'vitest';
import { parsePlan } from '../../src/job/index.js';
import { explain, nameBeside } from '../../src/planner/index.js';
import type { PlanFigures } from '../../src/planner/index.js';

const figuresOf = (step: number): PlanFigures => ({
  stepTimeSeconds: step,
  mfu: 0.5,
  computeSeconds: step * 0.7,
  exposedCommunicationSeconds: step * 0.2,
  exposedCommunicationByAxisSeconds: { model: step * 0.2 },
  overheadSeconds: step * 0.1,
  peakMemoryBytesPerChip: 1,
});

test('an explanation says what the step is spent on and what the next plan spends more on', () => {
  const text = explain(figuresOf(1), { plan: 'the next', figures: figuresOf(1.1) });
  expect(text).toMatch(
    /^70 % compute, 20 % exposed communication \(mostly model\), 10 % overhead\. .* faster than the next: .* less compute\.$/,
  );
});

test('what is ahead by far is so many times as fast', () => {
  const beside = (step: number): string => explain(figuresOf(1), { plan: 'the next', figures: figuresOf(step) });
  expect(beside(1.1)).toContain(' 10.0 % faster than the next: ');
  expect(beside(8.62)).toContain(' 8.6 times as fast as the next: ');
});

test('another plan is named by what it has of its own, and in full where that is nothing', () => {
  const named = (plan: string, other: string): string => nameBeside(parsePlan(plan), parsePlan(other));
  const mine = 'data=2 microbatches=1 rematerialize=selective shard=optimizer';
  expect(named(mine, 'data=2 microbatches=1 rematerialize=selective shard=parameters')).toBe(
    'data=2 microbatches=1 shard=parameters',
  );
  expect(named(mine, 'data=2 microbatches=1 rematerialize=selective')).toBe(
    'data=2 microbatches=1 rematerialize=selective',
  );
  expect(named(mine, 'data=2 microbatches=1')).toBe('data=2 microbatches=1');
});
