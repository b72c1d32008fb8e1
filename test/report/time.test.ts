import { describe, expect, it } from 'vitest';
import type { Subject } from '../../src/report/document.js';
import { timeFigure } from '../../src/report/sections/time.js';

/** As far as the figure looks. */
const subject = (bounds: Readonly<Record<'compute' | 'memory' | 'network', number>>): Subject =>
  ({
    parts: [
      { name: 'matmuls', seconds: 0.06, colour: 'matmul' },
      { name: 'memory-bound', seconds: 0.04, colour: 'memory' },
    ],
    step: {
      stepTimeSeconds: 0.1,
      boundShare: 0.5,
      bounds: {
        computeSeconds: bounds.compute,
        memorySeconds: bounds.memory,
        networkSeconds: bounds.network,
        seconds: 0.05,
        limit: 'compute',
      },
    },
  }) as unknown as Subject;

describe('the figure of where the time goes', () => {
  const namesOf = (of: Subject): string[] => timeFigure(of, 'time').table.rows.map(([name]) => String(name));

  it('has below the parts of the step what each of its needs takes at least', () => {
    const figure = timeFigure(subject({ compute: 0.05, memory: 0.02, network: 0.01 }), 'time');
    expect(figure.table.rows.slice(2)).toEqual([
      ['≥ matmuls', '50\u00a0ms', '50\u00a0%'],
      ['≥ memory traffic', '20\u00a0ms', '20\u00a0%'],
      ['≥ sending', '10\u00a0ms', '10\u00a0%'],
    ]);
    expect(figure.note).not.toContain('bounds nothing');
  });

  it('does not say of memory-bound work that its traffic takes no time, where nothing is known to bound it', () => {
    const one = subject({ compute: 0.05, memory: 0, network: 0 });
    expect(namesOf(one)).toEqual(['matmuls', 'memory-bound', '≥ matmuls']);
    expect(timeFigure(one, 'time').note).toContain('Memory traffic bounds nothing here');
  });
});
