/** `diagnose` and `goodput`, as they are typed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Diagnosis, Goodput, TrainingRuns } from '../../src/planner/index.js';
import { cli, json } from './in-process.js';
import { describeRefusals } from './refusals.js';
import { createFolder, removeFolder } from './support.js';

const JOB = '--model vit-tiny --hardware tpu-v4 --chips 4 --batch 64 --mesh data=4';

let folder: string;
beforeAll(() => {
  folder = createFolder();
});
afterAll(() => removeFolder(folder));

describe('diagnose', () => {
  it('takes a step time or an MFU, which come to the same', async () => {
    const byTime = await json<Diagnosis>(`diagnose ${JOB} --measured-step-time 20ms`, folder);
    expect(byTime.measuredStepTimeSeconds).toBe(0.02);
    const byMfu = await json<Diagnosis>(`diagnose ${JOB} --measured-mfu ${byTime.measuredMfu}`, folder);
    expect(byMfu.measuredStepTimeSeconds).toBeCloseTo(0.02, 9);
    expect(byMfu.explanations.map(({ cause }) => cause)).toEqual(byTime.explanations.map(({ cause }) => cause));
    expect(byTime.explanations.length).toBeGreaterThan(3);
  });

  it('says what to check, and no more causes than asked for', async () => {
    const { status, stdout } = await cli(`diagnose ${JOB} --measured-step-time 20ms --top 2`, folder);
    expect(status).toBe(0);
    expect(stdout).toMatch(/slower than predicted/);
    const checks = stdout.slice(stdout.indexOf('To check')).trim().split('\n').slice(1);
    expect(checks).toHaveLength(2);
    // Lines end without blanks, and tables are aligned.
    expect(stdout).not.toMatch(/ $/m);
  });

  it('has nothing to explain of a step that is faster', async () => {
    const { stdout } = await cli(`diagnose ${JOB} --measured-step-time 0.1ms`, folder);
    expect(stdout).toMatch(/% faster than predicted/);
    expect(stdout).not.toContain('To check');
  });
});

interface GoodputDocument {
  readonly interruptions: { readonly meanTimeBetween: number };
  readonly intervals: { readonly used: number; readonly daly: number };
  readonly expected: Goodput;
  readonly runs: TrainingRuns;
  readonly work: number;
  readonly tokensPerSecond: number;
  readonly cost: { readonly dollars: number; readonly chipHours: number };
}

describe('goodput', () => {
  it('is expected and run, and both agree', async () => {
    const rates = '--chip-hours-between 40 --checkpoint-time 60s --restart-time 5m';
    const found = await json<GoodputDocument>(`goodput ${JOB} ${rates}`, folder);
    expect(found.interruptions.meanTimeBetween).toBe((40 * 3600) / 4);
    expect(found.intervals.used).toBe(found.intervals.daly);
    expect(found.runs.useful).toBeCloseTo(found.expected.useful, 2);
    expect(found.runs.meanTime).toBeGreaterThan(found.work);
    expect(found.cost.dollars).toBeCloseTo(found.cost.chipHours * 3.22, 6);
  });

  it('is worse with another interval than the best, and with more chips', async () => {
    const useful = async (line: string): Promise<number> =>
      (await json<GoodputDocument>(`goodput ${line} --draws 1`, folder)).expected.useful;
    const best = await useful(`${JOB} --chip-hours-between 40`);
    expect(await useful(`${JOB} --chip-hours-between 40 --checkpoint-every 10h`)).toBeLessThan(best);
    expect(await useful(`${JOB} --chip-hours-between 20`)).toBeLessThan(best);
  });

  it('reads as text', async () => {
    const { status, stdout } = await cli(`goodput ${JOB} --tokens 1e12`, folder);
    expect(status).toBe(0);
    expect(stdout).toMatch(/An interruption every 528 days: one in 50677 hours of a chip/);
    expect(stdout).toMatch(/chip-hours,\s.* USD,\s.*Wh/);
  });
});

describe('the length of a training', () => {
  it('comes with what it costs where the profile says so', async () => {
    const simulate = async (job: string) => (await cli(`simulate ${job} --tokens 1e12`, folder)).stdout;
    expect(await simulate(JOB)).toMatch(/chip-hours,\s.* USD,\s.*Wh/);
    expect(await simulate(JOB.replace('tpu-v4', 'local'))).toMatch(/chip-hours$/m);
  });
});

describeRefusals('of questions', [
  ['no measurement', `diagnose ${JOB}`, 'USAGE', 'command line', ['--measured-step-time', 'neither']],
  ['a time without a unit', `diagnose ${JOB} --measured-step-time 12`, 'USAGE', '--measured-step-time', ['as in 12s']],
  ['no time at all', `diagnose ${JOB} --measured-step-time 0s`, 'USAGE', '--measured-step-time', ['above zero']],
  ['an MFU above 1', `diagnose ${JOB} --measured-mfu 31`, 'USAGE', '--measured-mfu', ['31%']],
  [
    'both measurements',
    `diagnose ${JOB} --measured-mfu 0.3 --measured-step-time 1s`,
    'USAGE',
    'command line',
    ['only one of two'],
  ],
  [
    'a rate of zero',
    `goodput ${JOB} --chip-hours-between 0`,
    'USAGE',
    '--chip-hours-between',
    ['a number above 0', '"0"'],
  ],
]);
