/** The UI of the whole program in a real terminal: nothing here is faked, the job is trained. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Terminal } from '../helpers/terminal.js';
import { noTerminal, openTerminal } from '../helpers/terminal.js';

const MAIN = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const TITLE =
  noTerminal === undefined ? 'meshwright in a terminal' : `meshwright in a terminal (skipped: ${noTerminal})`;

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
    await terminal.start(`node ${MAIN}`);
    await terminal.waitFor('Enter search');
    await terminal.keys('Enter');
    const plans = await terminal.waitFor(/Found \d+ plans, fastest first/);
    expect(plans).toMatch(/1 +(data|model)=2[^\n]* +\d+ +[\d.]+ ms +[\d.]+ %/);
    expect(plans).toContain('Why');
    await terminal.keys('t');
    const training = await terminal.waitFor(/step \d+ of \d+/, 60_000);
    expect(training).toContain('predicted');
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
    await terminal.waitFor(/Predictions are off by [\d.]+ % on average/);
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
    ]);
  }, 300_000);

  it('plans ViT-22B on 1,024 TPU v4, and says that it cannot be trained here', async () => {
    await terminal.start(`node ${MAIN}`);
    await terminal.waitFor('Enter search');
    await terminal.keys('vit-22b', 'Tab', 'tpu-v4', 'Tab', '1024', 'Tab', '65536');
    await terminal.waitFor(/Batch +65536/);
    await terminal.keys('Enter');
    const plans = await terminal.waitFor(/Found \d+ plans, fastest first/, 60_000);
    expect(plans).toMatch(/1 +data=\d+,model=\d+/);
    expect(plans).toContain('simulated only');
    await terminal.keys('q');
    await terminal.waitForPrompt();
  }, 90_000);
});
