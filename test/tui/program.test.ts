/** The UI of the whole program in a real terminal: nothing here is faked, the job is trained. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Terminal } from '../helpers/terminal.js';
import { noTerminal, openTerminal } from '../helpers/terminal.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const TITLE =
  noTerminal === undefined ? 'meshwright in a terminal' : `meshwright in a terminal (skipped: ${noTerminal})`;

/** As small as a job can be that is measured, trained, compared and calibrated on: one epoch, a few plans. */
const JOB = `
model: vit-tiny
hardware: local
chips: 2
batch: 32
training: { epochs: 1 }
search: { mesh: { pipe: 1 }, microbatches: [1, 2], activations: width, linears: synchronous, rematerialize: none, shard: [none, optimizer] }
`;

describe.skipIf(noTerminal !== undefined)(TITLE, () => {
  let folder: string;
  let terminal: Terminal;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'meshwright-ui-'));
    terminal = await openTerminal({ columns: 80, rows: 24, cwd: folder });
  });
  afterEach(async () => {
    await terminal.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('goes from picking over plans and training here to predicted against measured', async () => {
    writeFileSync(join(folder, 'small.yaml'), JOB);
    await terminal.start(`node ${MAIN}`);
    await terminal.waitFor('Enter search');
    await terminal.keys('./small');
    await terminal.waitFor(/❯ \.\/small\.yaml +job file: vit-tiny on 2 × local$/m);
    await terminal.keys('Enter');
    const plans = await terminal.waitFor(/Found \d+ plans, fastest first/);
    expect(plans).toMatch(/^ ❯ {3}1 {2}(data|model)=2 {2}.* {2}\d+ +[\d.]+ ms {2,}[\d.]+ % {2,}[\d.]+ MB$/m);
    expect(plans).toMatch(/── (data|model)=2 microbatches=\d+.* ─+ t measures and trains here$/m);
    expect(plans).toMatch(/^ Why {2}\d+\s% compute/m);
    await terminal.keys('t');
    await terminal.waitFor(/^ Predicted for a usual machine: [\d.]+ ms, MFU [\d.]+ %; this one is measured first$/m);
    const training = await terminal.waitFor(/step \d+ of \d+/, 180_000);
    expect(training).toMatch(/^ Predicted [\d.]+ ms, MFU .*; until this machine was measured [\d.]+ ms/m);
    const finished = await terminal.waitFor('Finished. Enter compares it with the prediction.', 180_000);
    expect(finished).toMatch(/accuracy [\d.]+ % \(chance 8.3 %\)/);
    await terminal.keys('Enter');
    const run = await terminal.waitFor(/Step [\d.]+ ms predicted \(.* measured: [−+][\d.]+ %, (within|outside)\./);
    expect(run).toMatch(/❯ [a-z ]+ +[\d.]+ [µm]s +[\d.]+ [µm]s +[−+][\d.]+ [µm]s/);
    expect(run).toMatch(/Run folder runs\/vit-tiny$/m);
    await terminal.keys('Enter');
    await terminal.waitFor(/kernel +runs +predicted +measured +difference/);
    await terminal.keys('Escape');
    await terminal.waitFor('measured step');
    await terminal.keys('Escape');
    const list = await terminal.waitFor(/Predictions were off by [\d.]+ % on average/);
    const [off] = /[−+][\d.]+ %/.exec(list.split('\n').find((line) => line.includes('❯'))!)!;
    await terminal.keys('c');
    const report = await terminal.waitFor(/── Calibration of local ─+$/m, 60_000);
    // The version that the run was predicted by is the one that is fitted: its error is the same.
    expect(report).toMatch(/^ Made of 1 run that this machine has kept, all in this list\.$/m);
    expect(report).toContain('Before is by local, version 1 (measured ');
    expect(report.split('\n').find((line) => line.includes('fitted '))).toContain(off);
    for (const shown of ['Predictions were off by', 'Finished. Enter compares']) {
      await terminal.keys('Escape');
      await terminal.waitFor(shown);
    }
    await terminal.keys('Escape');
    // Measured now, and maybe calibrated: plans are predicted by that.
    await terminal.waitFor(/Found \d+ plans[^]*── .* ─+ t trains it here$/m, 60_000);
    await terminal.keys('q');
    await terminal.waitForPrompt();
    const files = join(folder, 'runs', 'vit-tiny');
    expect(existsSync(files) && readdirSync(files).sort()).toEqual([
      'checkpoints',
      'comparison.json',
      'job.yaml',
      'measurement.jsonl',
      'metrics.jsonl',
      'profile.yaml',
      'ranks.json',
      'stack.yaml',
      'trace.json',
      'version.json',
    ]);
  }, 480_000);

  it('plans ViT-22B on 1,024 TPU v4, and goes on with a dimension fixed', async () => {
    await terminal.start(`node ${MAIN}`);
    await terminal.waitFor('Enter search');
    await terminal.keys('v22', 'Tab', 'tpu-v4', 'Tab', '1024', 'Tab', '65536');
    await terminal.waitFor(/Batch +65536 +16.8 M tokens a step, 64 a chip/);
    await terminal.keys('Enter');
    await terminal.waitFor(/Searching, best so far [\d.]+ s/, 60_000);
    const found = await terminal.waitFor(/Found \d+ plans, fastest first/, 120_000);
    expect(found).toMatch(/^ ❯ {3}1 {2}data=\d+,model=\d+ {2,}.* {2}\d+ {2,}[\d.]+ s {2}[\d.]+ % {2}[\d.]+ GB$/m);
    expect(found).toMatch(/usual search, [\d,]+ tried, [\d,]+ do not fit$/m);
    expect(found).toMatch(/── data=\d+,model=\d+ .* ─+ [\d.]+ USD\/M images$/m);
    expect(found).toMatch(/^ Memory [\d.]+ GB of [\d.]+ GB usable █+▒+▚+░+·+$/m);
    const looked = await terminal.waitFor(/^ compute {2}[█▒▚·]+$/m, 60_000);
    expect(looked).toMatch(/^ model {4}[·░▞]+ +▞ [\d.]+ m?s$/m);
    expect(looked).toMatch(/^ {10}█ forward {2}▒ backward .*▞ exposed {2}░ hidden {2}· idle$/m);
    expect(looked).toMatch(/^ Step [\d.]+ s \([\d.]+ – [\d.]+ s\) {2}MFU [\d.]+ % .*, at most \d+ %$/m);
    await terminal.keys('t');
    await terminal.waitFor('This machine can only simulate it: the plan is for 1024 × tpu-v4.');

    // Another size of `model` than the best plan's.
    await terminal.keys('d');
    await terminal.waitFor(/^ ❯ pipe +free +1 +1 alone$/m);
    await terminal.keys('Down', 'Down', 'Down', 'Down', 'Right', 'Right', 'Right');
    await terminal.waitFor(/^ ❯ model +free|^ ❯ model +=/m);
    const fixed = await terminal.waitFor(/Found \d+ plans[^]*❯ model +(= )?4 +4 +this alone$/m, 120_000);
    expect(fixed).toMatch(/ {2}1 {2}data=256,model=4 {2}/);
    expect(fixed).not.toContain('model=8');
    await terminal.keys('d', 'w');
    await terminal.waitFor('Write the job to: vit-22b-1024xtpu-v4.yaml');
    await terminal.keys('Enter');
    await terminal.waitFor('Written: vit-22b-1024xtpu-v4.yaml');
    expect(readFileSync(join(folder, 'vit-22b-1024xtpu-v4.yaml'), 'utf8')).toMatch(/^model: vit-22b\n/m);

    await terminal.keys('?');
    await terminal.waitFor(/Words[^]*MFU +the model's own FLOPs per second/);
    await terminal.keys('Escape');
    await terminal.waitFor(/^ compute {2}[█▒▚·]+$/m, 60_000);
    const small = await terminal.capture();
    expect(small[1]).toMatch(/^ ─+$/);
    await terminal.resize(200, 60);
    const large = await terminal.waitFor(/in what else they differ[^]*── d Dimensions ─/);
    expect(large).toMatch(/ {3}At least [\d.]+ s \(MFU \d+ %\) for /);
    await terminal.resize(80, 24);
    await expect.poll(() => terminal.capture(), { timeout: 10_000 }).toEqual(small);
    // Freed, the search begins anew; who has seen enough need not wait for it.
    await terminal.keys('d', 'x');
    await terminal.waitFor(/Searching[^]*❯ model +free/);
    await terminal.keys('q');
    await terminal.waitForPrompt();
  }, 400_000);
});
