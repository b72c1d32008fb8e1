import { describe, expect, it } from 'vitest';
import { append, EMPTY_HISTORY, MAXIMUM_POINTS } from '../../src/tui/state/history.js';

describe('a history for a chart', () => {
  it('stays bounded and keeps its mean, however long the run', () => {
    let history = EMPTY_HISTORY;
    const count = 1_000_000;
    for (let step = 0; step < count; step++) {
      history = append(history, step);
      if (history.points.length >= MAXIMUM_POINTS) expect.fail(`${history.points.length} points at step ${step}`);
    }
    const { points, stride, pending } = history;
    expect(points.length * stride + pending.count).toBe(count);
    const sum = points.reduce((total, value) => total + value, 0) * stride + pending.sum;
    expect(sum / count).toBeCloseTo((count - 1) / 2);
  });

  it('a loss that is not a number is left out of the chart', () => {
    expect(append(EMPTY_HISTORY, Number.NaN)).toBe(EMPTY_HISTORY);
  });
});
