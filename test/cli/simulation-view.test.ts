/** What `simulate` prints, at several widths, of plans with and without what there is to say. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import { adviceOn } from '../../src/cli/advice.js';
import type { SimulationReport } from '../../src/cli/simulation-report.js';
import { reportOn } from '../../src/cli/simulation-report.js';
import { simulationLines } from '../../src/cli/simulation-view.js';
import type { JobInput } from '../../src/job/index.js';
import { formatPlan, parsePlanInput } from '../../src/job/index.js';

const assessor = new Assessor();
const VIT = { model: { preset: 'vit-g', depth: 12 }, hardware: 'tpu-v4', batch: 1024 };
const inputs: Readonly<Record<string, JobInput>> = {
  plain: VIT,
  ring: VIT,
  single: { ...VIT, batch: 8 },
  tooMuch: { ...VIT, batch: 4096 },
  cpu: { model: 'vit-tiny', hardware: 'local', batch: 32 },
};
const reportOf = (name: string, plan: string, steps?: number): SimulationReport => {
  const job = assessor.resolve({ ...inputs[name], plan: parsePlanInput(plan, 'plan') });
  return reportOn(assessor, assessor.assess(job), steps === undefined ? {} : { steps });
};

let reports: Readonly<Record<string, SimulationReport>>;
beforeAll(() => {
  reports = {
    plain: reportOf('plain', 'data=8,model=4 microbatches=4', 10000),
    ring: reportOf('ring', 'data=8,model=4 microbatches=4 linears=ring'),
    single: reportOf('single', 'data=1 microbatches=4'),
    tooMuch: reportOf('tooMuch', 'data=8,model=2 microbatches=1'),
    cpu: reportOf('cpu', 'data=2'),
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

  it('says that times are an estimate where one chip stands for others that differ', () => {
    const plain = reports['plain']!;
    const saying = (report: SimulationReport) => simulationLines(report, 80).filter((line) => /^Estimate/.test(line));
    expect(saying({ ...plain, folded: false })).toHaveLength(1);
    expect(saying({ ...plain, folded: true })).toEqual([]);
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

  it('has parts that make up the step, also where a chip is faster than another by chance', () => {
    const { timeByCategorySeconds, stepTimeSeconds } = reports['plain']!;
    const lucky = {
      ...reports['plain']!,
      stepTimeSeconds: 0.9 * stepTimeSeconds,
      timeByCategorySeconds: { ...timeByCategorySeconds, variation: -0.1 * stepTimeSeconds },
    };
    for (const report of [...Object.values(reports), lucky]) {
      const lines = simulationLines(report, 80);
      const start = lines.findIndex((line) => line.startsWith('Time'));
      const rows = lines.slice(
        start,
        lines.findIndex((line) => line.startsWith('Hidden')),
      );
      const shares = rows.map((row) => Number(/ <?(-?\d+) %/.exec(row)![1]));
      const total = shares.reduce((sum, share) => sum + share, 0);
      expect(Math.abs(total - 100), rows.join('\n')).toBeLessThanOrEqual(rows.length / 2 + 0.5);
    }
    expect(simulationLines(lucky, 80).join('\n')).toMatch(/variation +-[\d.]+ ms +-11 % *$/m);
  });

  it('says what does not fit, and what would', () => {
    const { fits, advice } = reports['tooMuch']!;
    expect(fits).toBe(false);
    const text = simulationLines(reports['tooMuch']!, 80).join('\n');
    expect(text).toContain('DOES NOT FIT');
    expect(text).toMatch(/To try +\S+: fits in [\d.]+ GB, [\d.]+ m?s$/m);
    expect(advice.map(({ change }) => change.split('=')[0])).toContain('microbatches');
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
  it('is of plans that, simulated anew, fit and take what it says, less than the step at hand if that fits', () => {
    for (const [name, { advice, stepTimeSeconds, fits }] of Object.entries(reports)) {
      for (const one of advice) {
        const { simulation } = new Assessor().assess(
          assessor.resolve({ ...inputs[name], plan: parsePlanInput(one.plan, 'plan') }),
        );
        expect(simulation).toMatchObject({
          fits: true,
          stepTimeSeconds: one.stepTimeSeconds,
          peakMemoryBytesPerChip: one.peakMemoryBytesPerChip,
        });
        if (fits) expect(one.faster).toBeCloseTo(stepTimeSeconds / simulation.stepTimeSeconds - 1, 12);
        if (fits) expect(one.faster).toBeGreaterThanOrEqual(0.01);
      }
    }
    expect(Object.values(reports).flatMap(({ advice }) => advice).length).toBeGreaterThan(4);
  });

  it('names one change of an option, the best first', () => {
    for (const { advice } of Object.values(reports)) {
      const times = advice.map((one) => one.stepTimeSeconds);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      const options = advice.map(({ change }) => change.split('=', 1)[0]);
      expect(new Set(options).size).toBe(options.length);
    }
  });

  it('says what shrinks, by no more than there was of it', () => {
    const { advice, exposedCommunicationByAxisSeconds: exposed } = reports['plain']!;
    const saved = advice.map(({ saves }) => saves!).find(({ what }) => what === 'model exposed')!;
    expect(saved.seconds).toBeGreaterThan(0);
    expect(saved.seconds).toBeLessThanOrEqual(exposed.model!);
  });

  it('looks at no more than eight other plans', () => {
    const looked = vi.spyOn(assessor, 'memory');
    reportOf('plain', 'data=8,model=4 microbatches=4');
    const plans = new Set(looked.mock.calls.map(([job]) => formatPlan(job.plan)));
    looked.mockRestore();
    expect(plans.size).toBeGreaterThan(3);
    expect(plans.size).toBeLessThanOrEqual(8);
  });

  it('is none of a step that is too long to try others in a moment', () => {
    const job = assessor.resolve({ ...inputs['plain'], plan: parsePlanInput('data=8,model=4 microbatches=4', 'plan') });
    expect(adviceOn(assessor, assessor.assess(job), 1e6)).toEqual([]);
  });
});
