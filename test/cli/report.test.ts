import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli, json } from './in-process.js';
import { createFolder, expectRefused, removeFolder } from './support.js';

const JOB = `
model: vit-tiny
hardware: tpu-v4
chips: 8
batch: 64
plan: { mesh: { data: 4, model: 2 } }
`;

let folder: string;
beforeAll(async () => {
  folder = createFolder({
    'job.yaml': JOB,
    'other/job.yaml': JOB.replace('data: 4, model: 2', 'data: 8').replace('vit-tiny', 'gpt-tiny'),
    'alone.yaml': JOB.replace('chips: 8', 'chips: 1').replace('data: 4, model: 2', 'data: 1'),
    'two.yaml': JOB.replace('chips: 8', 'chips: 2').replace('data: 4, model: 2', 'model: 2'),
    'big.yaml': JOB.replace('vit-tiny', 'vit-22b'),
    'run/': '',
    'list.json': '[1, 2]',
    'plans.json': '{"schema": "meshwright/plans@2", "model": "a", "hardware": "b", "candidates": "many"}',
    'empty.yaml': '',
  });
  expect(await cli('report job.yaml', folder)).toMatchObject({ status: 0, stderr: '' });
});
afterAll(() => removeFolder(folder));

const page = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** What a person reads, and what draws: without scripts, style and tags. */
const words = (name: string): string =>
  page(name)
    .replaceAll(/<(script|style)[^>]*>[^]*?<\/\1>/g, '')
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll(/[\s\u00a0]+/g, ' ');

interface Summary {
  readonly schema: string;
  readonly file: string;
  readonly bytes: number;
  readonly jobs: readonly {
    readonly source: string;
    readonly stepTimeSeconds: number;
    readonly front: readonly { readonly plan: string }[] | null;
  }[];
}

describe('report', () => {
  it('says what simulate says, in words and tables that need no script', async () => {
    const { stepTimeSeconds, mfu, plan } = await json<{ stepTimeSeconds: number; mfu: number; plan: string }>(
      'simulate job.yaml',
      folder,
    );
    const text = words('report.html');
    expect(text).toContain(plan);
    expect(text).toContain(`MFU ${(mfu * 100).toFixed(1)} %`);
    expect(text).toContain(`Where the step's ${Number((stepTimeSeconds * 1e6).toPrecision(3))} µs go`);
    for (const part of ['matmuls', 'memory-bound', 'No execution of this program', 'activation', 'chip +x'])
      expect(text).toContain(part);
  });

  it('is one file that asks for nothing: no link, no source, nothing but its own scripts', () => {
    const html = page('report.html').replaceAll(/<script>[^]*?<\/script>/g, '');
    expect(html).not.toMatch(/<(?:link|img|iframe|object|embed)|\s(?:src|href)="(?!#)|url\(|@import/);
    expect(html).toContain(`content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"`);
    expect(statSync(join(folder, 'report.html')).size).toBeLessThan(1.2e6);
  });

  it('is the same for the same job', async () => {
    await cli('report job.yaml -o again.html', folder);
    expect(page('again.html')).toBe(page('report.html'));
  });

  it('tells jobs of one name apart, and has them side by side', async () => {
    const { jobs, bytes, file, schema } = await json<Summary>('report job.yaml other/job.yaml -o two.html', folder);
    expect({ schema, file, bytes }).toEqual({
      schema: 'meshwright/report@1',
      file: 'two.html',
      bytes: statSync(join(folder, 'two.html')).size,
    });
    expect(jobs.map(({ source }) => source)).toEqual(['job.yaml', 'other/job.yaml']);
    expect(words('two.html')).toContain('What each step is spent on');
    expect(words('two.html')).toMatch(/least possible .* busiest link/);
  });

  it('with --search draws the plans that no other beats, of all that the task could have', async () => {
    const { jobs } = await json<Summary>('report two.yaml --search -o searched.html', folder);
    const { front } = await json<{ front: { plan: string }[] }>(
      'plan --model vit-tiny --hardware tpu-v4 --chips 2 --batch 64',
      folder,
    );
    expect(jobs[0]!.front!.map(({ plan }) => plan)).toEqual(front.map(({ plan }) => plan));
    for (const { plan } of front) expect(words('searched.html')).toContain(plan);
  });

  it('has no links to draw of a job that sends nothing', async () => {
    await cli('report alone.yaml -o alone.html', folder);
    expect(words('alone.html')).toContain('Nothing is sent in this step.');
  });

  it('says of a plan that does not fit that it does not', async () => {
    await cli('report big.yaml -o big.html', folder);
    expect(words('big.html')).toContain('This plan does not fit.');
    expect(words('big.html')).not.toMatch(/Step time [\d.]+ s [\d.]+ s – /);
  });

  it.each([
    [
      'none.yaml',
      'USAGE',
      'none.yaml',
      ['a job file, the folder of a run, or what plan --json prints', 'nothing there'],
    ],
    ['run', 'RUN_INVALID', 'run/comparison.json', ['train writes it when it ends']],
    ['list.json', 'USAGE', 'list.json', ['schema undefined']],
    ['plans.json', 'USAGE', 'plans.json', ['candidates is wrong']],
    ['empty.yaml', 'JOB_INVALID', 'empty.yaml', []],
    ['job.yaml -o report.html', 'RUN_EXISTS', 'report.html', ['a file that does not exist']],
    ['job.yaml -o none/page.html', 'USAGE', 'none/page.html', ['a file in a folder that exists']],
  ] as const)('refuses %s', async (line, code, place, says) => {
    const ended = await cli(line.includes('-o') ? `report ${line}` : `report ${line} -o refused.html`, folder);
    if (code === 'JOB_INVALID') expect(ended).toMatchObject({ status: 2, stdout: '' });
    else expectRefused(ended, { code, place, says });
  });

  it('writes no page where one of several is refused', async () => {
    writeFileSync(join(folder, 'bad.yaml'), JOB.replace('vit-tiny', 'vit-tinny'));
    const { status } = await cli('report job.yaml bad.yaml -o half.html', folder);
    expect(status).toBe(2);
    expect(() => page('half.html')).toThrow('ENOENT');
  });
});
