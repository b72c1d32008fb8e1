import { describe, expect, it } from 'vitest';
import { append, EMPTY_HISTORY, MAXIMUM_POINTS } from '../../src/tui/state/history.js';

describe('a history for a chart', () => {
  it('stays bounded and keeps its mean, however long the run', () => {
    let history = EMPTY_HISTORY;
    const count = MAXIMUM_POINTS * 8;
    for (let step = 0; step < count; step++) history = append(history, step);
    expect(history.points.length).toBeLessThan(MAXIMUM_POINTS);
    const mean = history.points.reduce((sum, value) => sum + value, 0) / history.points.length;
    expect(mean).toBeCloseTo((count - 1) / 2);
  });

  it('a loss that is not a number is left out of the chart', () => {
    expect(append(EMPTY_HISTORY, Number.NaN)).toBe(EMPTY_HISTORY);
  });
});
