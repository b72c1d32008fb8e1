/** What `simulate` prints, at several widths, of plans with and without what there is to say. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import { adviceOn } from '../../src/cli/advice.js';
import type { SimulationReport } from '../../src/cli/simulation-report.js';
import { reportOn } from '../../src/cli/simulation-report.js';
import { simulationLines } from '../../src/cli/simulation-view.js';
import type { JobInput } from '../../src/job/index.js';
import { parsePlanInput } from '../../src/job/index.js';

const assessor = new Assessor();
const reportOf = (input: JobInput, plan: string, steps?: number): SimulationReport => {
  const job = assessor.resolve({ ...input, plan: parsePlanInput(plan, 'plan') });
  return reportOn(assessor.assess(job), steps === undefined ? {} : { steps });
};
const VIT = { model: 'vit-g', hardware: 'tpu-v4', batch: 1024 };

let reports: Readonly<Record<string, SimulationReport>>;
beforeAll(() => {
  reports = {
    plain: reportOf(VIT, 'data=8,model=4 microbatches=4', 10000),
    ring: reportOf(VIT, 'data=8,model=4 microbatches=4 linears=ring'),
    single: reportOf({ ...VIT, batch: 8 }, 'data=1 microbatches=4'),
    tooMuch: reportOf({ ...VIT, batch: 4096 }, 'data=8,model=2 microbatches=1'),
    cpu: reportOf({ model: 'vit-tiny', hardware: 'local', batch: 32 }, 'data=2'),
  };
});

describe('a simulation in a terminal', () => {
  it('fits the width, and 80 × 24 cells', () => {
    const names = fc.constantFrom(...Object.keys(reports));
    fc.assert(
      fc.property(names, fc.integer({ min: 60, max: 200 }), (name, columns) => {
        const lines = simulationLines(reports[name]!, columns);
        for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(Math.min(columns, 120));
      }),
    );
    for (const report of Object.values(reports)) expect(simulationLines(report, 80).length).toBeLessThanOrEqual(24);
  });

  it('draws bars as long as the times they stand for', () => {
    const { timeByCategorySeconds: time, exposedCommunicationByAxisSeconds: exposed } = reports['plain']!;
    const bars = simulationLines(reports['plain']!, 120).filter((line) => line.includes('%  █'));
    const cells = bars.map((line) => /█*/.exec(line.slice(line.indexOf('█')))![0].length);
    expect(cells.toSorted((a, b) => b - a)).toEqual(cells);
    expect(bars[0]).toContain('model exposed');
    expect(bars[1]).toContain('matmuls');
    // Whole cells only: either may lack up to one.
    const ratio = exposed.model! / time.matmul;
    expect(Math.abs(cells[0]! - ratio * cells[1]!)).toBeLessThanOrEqual(1 + ratio);
  });

  it('says what does not fit, how much, and of what there is most', () => {
    const { fits, advice } = reports['tooMuch']!;
    expect(fits).toBe(false);
    expect(simulationLines(reports['tooMuch']!, 80).join('\n')).toContain('DOES NOT FIT');
    expect(advice[0]).toMatchObject({ share: null, change: 'more --microbatches, or --rematerialize' });
    expect(advice[0]!.what).toMatch(/too much memory, most of it activation/);
  });

  it('has lines only for what there is', () => {
    const starts = (name: string): string[] =>
      simulationLines(reports[name]!, 80).flatMap((line) => /^[A-Z]\S*(?: try)?/i.exec(line)?.[0] ?? []);
    expect(starts('plain')).toContain('Training');
    expect(starts('ring')).not.toContain('Training');
    expect(simulationLines(reports['single']!, 80).filter((line) => line.endsWith('nothing is sent'))).toHaveLength(2);
  });
});

describe('advice', () => {
  it('is to try rings for what the model axis sends, where there are none', () => {
    const first = reports['plain']!.advice.find(({ what }) => what.startsWith('exposed model'))!;
    expect(first.change).toBe('--linears bidirectional');
    const { exposedCommunicationByAxisSeconds: exposed, stepTimeSeconds } = reports['plain']!;
    expect(first.share).toBeCloseTo(exposed.model! / stepTimeSeconds, 12);
    expect(reports['ring']!.advice.map(({ change }) => change)).not.toContain(first.change);
  });

  it('is ordered by what it could save, and never of more than the step', () => {
    for (const { advice } of Object.values(reports)) {
      const shares = advice.flatMap(({ share }) => share ?? []);
      expect(shares).toEqual(shares.toSorted((a, b) => b - a));
      expect(shares.every((share) => share > 0.02 && share < 1)).toBe(true);
    }
  });

  it('is none where only kernels take time', () => {
    const { single } = reports;
    const plan = assessor.resolve({ ...VIT, batch: 8, plan: parsePlanInput('data=1 microbatches=4', 'plan') }).plan;
    const time = { ...single!.timeByCategorySeconds, overhead: 0, optimizer: 0, contention: 0, idle: 0 };
    expect(adviceOn(plan, { ...single!, timeByCategorySeconds: time, fits: true }, single!)).toEqual([]);
  });
});
