/** Reports of small jobs of every kind, made by the compiled command line. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { cli } from '../cli/in-process.js';
import { createFolder } from '../cli/support.js';

/** A file's name that would be markup. */
export const MARKUP = '<b>bold<script>.yaml';

/** What someone else's file may say. */
export const EVIL = "</script><script>alert('x')</script><img src=x onerror=alert(1)>";

const FILES = {
  'torus.yaml': `
model: vit-tiny
hardware: tpu-v4
chips: 64
batch: 512
plan: { mesh: { data: 16, model: 4 }, microbatches: 8, linears: bidirectional }
search: { mesh: { data: 16, model: 4 }, microbatches: [4, 8], linears: [synchronous, bidirectional], shard: none }
`,
  [MARKUP]: `
model: gpt-tiny
hardware: h100-80gb-sxm
chips: 16
batch: 64
plan: { mesh: { pipe: 2, data: 8 }, microbatches: 4, schedule: 1f1b }
`,
  'local.yaml': `
model: gpt-tiny
hardware: local
chips: 2
batch: 16
plan: { mesh: { data: 2 } }
training: { text: text.txt, steps: 6 }
`,
};

export interface Pages {
  readonly folder: string;
  /** The path of a page. */
  readonly page: (name: string) => string;
}

async function run(line: string, folder: string): Promise<string> {
  const { status, stdout, stderr } = await cli(line, folder);
  expect(status, `${line}: ${stderr}`).toBe(0);
  return stdout;
}

/** `torus.html`; `run.html` of a run that trained; `all.html` of three jobs and of a search. */
export async function makePages(): Promise<Pages> {
  const folder = createFolder(FILES);
  await run('text text.txt --bytes 20000', folder);
  await run('train local.yaml --run run --keep-checkpoints 0', folder);
  const plans = await run('plan --model gpt-tiny --hardware local --chips 2 --batch 16 --json', folder);
  writeFileSync(join(folder, 'plans.json'), plans.replaceAll('"part": "', `"part": "${EVIL}`));
  await run('report torus.yaml --search -o torus.html', folder);
  await run('report run -o run.html', folder);
  await run(`report torus.yaml ${MARKUP} run plans.json -o all.html`, folder);
  return { folder, page: (name) => join(folder, name) };
}
