import { expect, test } from 'vitest';
import { explain } from '../../src/planner/index.js';
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
