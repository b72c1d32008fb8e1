/** Pipelines on the command line, as compiled. */
import { tmpdir } from 'node:os';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { SimulationReport } from '../../src/cli/simulation-report.js';
import { cli, json } from './in-process.js';

const cwd = mkdtempSync(join(tmpdir(), 'meshwright-pipeline-'));
const PIPE = 'simulate --model gpt-tiny --model-option depth=12 --hardware a100-80gb-sxm --chips 8 --batch 24';
const planned = (plan: string): string[] => [...PIPE.split(' '), '--plan', plan];

describe('simulate --schedule', () => {
  test.each(['1f1b', 'interleaved-1f1b', 'zb-2p'])(
    'draws %s of 4 stages and 12 microbatches in 80 columns, every slot with its label or its letter',
    async (schedule) => {
      const { status, stdout } = await cli(
        [...planned(`pipe=4,data=2 microbatches=12 schedule=${schedule}`), '--schedule'],
        cwd,
      );
      expect(status).toBe(0);
      const lines = stdout.split('\n');
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
      const head = lines.findIndex((line) => line.startsWith(`${schedule}, 4 stages`));
      const grid = lines.slice(head + 1).filter((line) => /^\d {2}/.test(line));
      expect(grid.length % 4).toBe(0);
      for (let stage = 0; stage < 4; stage++) {
        const own = grid.filter((line) => line.startsWith(`${stage}  `)).join('');
        for (const letter of schedule.startsWith('zb') ? ['F', 'B', 'W'] : ['F', 'B'])
          expect(own.match(new RegExp(letter, 'g'))!.length, `${letter} of ${stage}`).toBeGreaterThanOrEqual(12);
      }
    },
  );

  test('with a value is the schedule of the plan, and draws nothing', async () => {
    const [named, drawn] = await Promise.all([
      cli([...planned('pipe=4,data=2 microbatches=12'), '--schedule', 'gpipe'], cwd),
      cli([...planned('pipe=4,data=2 microbatches=12 schedule=gpipe'), '--schedule'], cwd),
    ]);
    expect(named.stdout).toContain('gpipe: 4 stages');
    expect(drawn.stdout.startsWith(named.stdout.trimEnd())).toBe(true);
  });

  test('adds the slots to the document, in their order on each stage', async () => {
    const line = [...planned('pipe=2,data=4 microbatches=6'), '--schedule', '--json'];
    const { stdout } = await cli(line, cwd);
    const { slots, stepTimeSeconds } = JSON.parse(stdout) as {
      slots: { startSeconds: number; endSeconds: number }[][];
      stepTimeSeconds: number;
    };
    expect(slots.map((list) => list.length)).toEqual([12, 12]);
    for (const list of slots) {
      list
        .slice(1)
        .forEach(({ startSeconds }, index) => expect(startSeconds).toBeGreaterThanOrEqual(list[index]!.endSeconds));
      expect(list.at(-1)!.endSeconds).toBeLessThanOrEqual(stepTimeSeconds);
    }
  });
});

test('a document has the stages; what has none says nothing of them', async () => {
  const { stdout } = await cli([...planned('pipe=2,data=4 microbatches=6'), '--json'], cwd);
  const { pipeline, timeByCategorySeconds, stepTimeSeconds, mesh } = JSON.parse(stdout) as SimulationReport;
  expect(mesh).toBe('pipe=2,data=4');
  expect(pipeline!.byStage.map(({ layers }) => layers).reduce((sum, layers) => sum + layers)).toBe(12);
  for (const { busySeconds, bubbleSeconds, exposedTransferSeconds } of pipeline!.byStage)
    expect(busySeconds + bubbleSeconds + exposedTransferSeconds).toBeCloseTo(stepTimeSeconds, 9);
  expect(timeByCategorySeconds.bubble).toBeGreaterThan(0);
  const plain = await json<SimulationReport>(`${PIPE} --microbatches 1`, cwd);
  expect(plain.pipeline).toBeUndefined();
  expect(plain.timeByCategorySeconds).not.toHaveProperty('bubble');
});

test('--program prints each program once, with what runs it, and --program-op finds an op of any', async () => {
  const plan = planned('pipe=4,data=2 microbatches=6 schedule=zb-1p stage-layers=3,3,3,3');
  const { stdout } = await cli([...plan, '--program'], cwd);
  const titles = stdout.split('\n').filter((line) => /^# .*stage/.test(line));
  expect(titles).toContain('# forward: stage 1, stage 2');
  expect(titles).toContain('# backward-weight: stage 0');
  expect(new Set(titles).size).toBe(titles.length);
  const op = await cli([...plan, '--program-op', 'decoder#backward-weight'], cwd);
  expect(op.stdout).toContain('# decoder#backward-weight');
});

test('--trace writes a track a stage', async () => {
  const { status } = await cli([...planned('pipe=4,data=2 microbatches=6'), '--trace', 'trace.json'], cwd);
  expect(status).toBe(0);
  const { traceEvents } = JSON.parse(readFileSync(join(cwd, 'trace.json'), 'utf8')) as {
    traceEvents: { ph: string; args?: { name?: string } }[];
  };
  const names = traceEvents.filter(({ ph }) => ph === 'M').map(({ args }) => args!.name);
  for (let stage = 0; stage < 4; stage++) expect(names).toContain(`stage ${stage}`);
  expect(traceEvents.filter(({ ph }) => ph === 's')).toHaveLength(2 * 3 * 6);
});

test('plan keeps the stages that are given', async () => {
  const line = ['plan', ...PIPE.split(' ').slice(1), '--plan', 'pipe=2', '--top', '3', '--json'];
  const { stdout } = await cli(line, cwd);
  const { plans } = JSON.parse(stdout) as { plans: { plan: string; why: string }[] };
  expect(plans.length).toBeGreaterThan(1);
  for (const { plan } of plans) expect(plan).toMatch(/^pipe=2/);
  expect(plans[0]!.why).toMatch(/bubble/);
});

test.each([
  ['--unfold', 'USAGE at --unfold: expected a plan without pipe'],
  ['--jitter 0.1', 'USAGE at --jitter: expected a plan without pipe'],
  ['--fault chip=1:2', 'PLAN_INVALID at fault: expected no slow chip of a100-80gb-sxm with a pipeline'],
  ['--schedule --program', 'USAGE at --program: expected no --schedule beside it'],
])('%s is refused with the reason', async (flags, reason) => {
  const { status, stderr } = await cli([...planned('pipe=4,data=2 microbatches=6'), ...flags.split(' ')], cwd);
  expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(reason) as string });
});

test('a slow link makes a pipeline slower', async () => {
  const step = async (...fault: string[]): Promise<number> => {
    const { stdout } = await cli([...planned('pipe=8 microbatches=12'), '--json', ...fault], cwd);
    return (JSON.parse(stdout) as SimulationReport).stepTimeSeconds;
  };
  expect(await step('--fault', 'link=chip 1 to node:0.01')).toBeGreaterThan(await step());
});
