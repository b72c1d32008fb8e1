/**
 * `npm run docs:report`: the README's picture of a report, docs/report.png: the first figures of the main job's, as
 * Chromium shows them. Where that is missing (`CHROMIUM` names another place) it says so.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { packageRoot } from '../src/package-root.js';
import { chromiumPath } from '../test/helpers/chromium.js';

const JOB = 'examples/vit-22b-tpu-v4.yaml';
const PICTURE = 'docs/report.png';
const WIDTH = 1180;
/** The last figure that is shown. */
const LAST = '#job-1-timeline';

async function take(page: string): Promise<void> {
  const executablePath = chromiumPath();
  if (executablePath === undefined)
    throw new Error('no Chromium: apt-get install chromium, or set CHROMIUM to its path');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const tab = await browser.newPage({ viewport: { width: WIDTH, height: 2000 } });
    await tab.goto(pathToFileURL(page).href);
    for (const id of ['#job-1-time', LAST]) await tab.locator(`${id} [data-drawn=true]`).waitFor();
    const last = (await tab.locator(LAST).boundingBox())!;
    const clip = { x: 0, y: 0, width: WIDTH, height: Math.ceil(last.y + last.height + 16) };
    await tab.screenshot({ path: join(packageRoot(), PICTURE), clip });
    process.stdout.write(`${PICTURE}: ${clip.width} × ${clip.height}\n`);
  } finally {
    await browser.close();
  }
}

const folder = mkdtempSync(join(tmpdir(), 'meshwright-report-'));
try {
  const page = join(folder, 'report.html');
  const args = [join(packageRoot(), 'dist/src/cli/main.js'), 'report', JOB, '-o', page];
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: packageRoot(), encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  await take(page);
} finally {
  rmSync(folder, { recursive: true });
}
