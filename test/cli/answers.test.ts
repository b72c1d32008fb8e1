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

const TINY = 'plan --model gpt-tiny --hardware tpu-v4 --mesh model=1 --plan microbatches=1';

interface Comparison {
  readonly rows: readonly {
    readonly hardware: string;
    readonly chips: number;
    readonly training: { readonly time: number; readonly dollars: number | null };
  }[];
}

describe('questions to plan', () => {
  it('compares machines, each with its own best plan, in the order given', async () => {
    const { rows } = await json<Comparison>(
      `${TINY} --chips 4 --batch 64 --tokens 1e12 --on tpu-v5p,tpu-v4,local --goodput 0.5`,
      folder,
    );
    expect(rows.map(({ hardware }) => hardware)).toEqual(['tpu-v5p', 'tpu-v4', 'local']);
    const [v5p, v4, local] = rows.map(({ training }) => training);
    expect(v5p!.dollars).toBeCloseTo((v5p!.time / 3600) * 4 * 4.2, 3);
    expect(v4!.time).toBeGreaterThan(v5p!.time);
    expect(local!.dollars).toBeNull();
  });

  it('finds the fewest chips, which half of them are not', async () => {
    const asked = `${TINY} --batch 4096 --tokens 1e12`;
    const { rows } = await json<Comparison>(`${asked} --finish-in 1d`, folder);
    const [{ chips, training }] = rows as [Comparison['rows'][number]];
    expect(training.time).toBeLessThanOrEqual(86400);
    const fewer = await json<Comparison>(`${asked} --on tpu-v4 --chips ${chips / 2}`, folder);
    expect(fewer.rows[0]!.training.time).toBeGreaterThan(86400);
  });

  it('says what would change the best plan, and how the ranking stands', async () => {
    const { status, stdout } = await cli(`${TINY} --chips 4 --batch 64 --what-if --robustness 3`, folder);
    expect(status).toBe(0);
    expect(stdout).toMatch(/2 × link bandwidth +\+/);
    expect(stdout).toMatch(/in 3 draws \(seed 0\) of compute ±10 %/);
  });
});

describeRefusals('of questions', [
  ['a time for no tokens', `${TINY} --finish-in 1d`, 'USAGE', '--finish-in', ['--tokens beside it']],
  ['tokens for no question', `${TINY} --chips 4 --tokens 1e9`, 'USAGE', '--tokens', ['--finish-in 30d or --on']],
  ['a seed of no draws', `${TINY} --chips 4 --seed 1`, 'USAGE', '--seed', ['--robustness beside it']],
  [
    'chips whose count is asked for',
    `${TINY} --chips 4 --finish-in 1d --tokens 1e9`,
    'USAGE',
    'command line',
    ['only one of two'],
  ],
  [
    'several batches in a question',
    `${TINY} --chips 4 --batch 64,128 --largest model`,
    'USAGE',
    '--batch',
    ['one value beside a question'],
  ],
  [
    'a what-if of a question',
    `${TINY} --chips 4 --largest model --what-if`,
    'USAGE',
    '--what-if',
    ['plans of one task'],
  ],
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
