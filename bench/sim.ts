/**
 * `npm run bench:sim`: what simulating takes, folded to one chip and with every chip and link, each case in a process of
 * its own. Peers' figures are not measured here: they were recorded on a machine like this one, and stand beside ours.
 * `-- --json` prints a document instead of the table.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { linearRegression } from 'simple-statistics';
import { Checks } from './checks.js';
import { GROWING } from './sim/cases.js';

const CHILD = fileURLToPath(new URL('./sim/child.js', import.meta.url));

function measure(name: string): Record<string, number> {
  const output = execFileSync(process.execPath, [CHILD, name], { encoding: 'utf8', maxBuffer: 2 ** 20 });
  return JSON.parse(output) as Record<string, number>;
}

const checks = new Checks();
const RECORDED = 'recorded';

for (const [name, title, bound, beside] of [
  ['vit-22b', 'ViT-22B on 1,024, lowered and simulated', 50, `Calculon, one configuration 1.6 ms; SimuMax 31 ms`],
  ['palm-540b', 'PaLM 540B on 6,144, lowered and simulated', 100, `SimuMax, event trace on 8 chips 1,870 ms`],
] as const) {
  const { milliseconds, megabytes, differences } = measure(name);
  checks.add(title, milliseconds!, 'ms', bound, `${beside} (${RECORDED})`);
  checks.add('  peak resident memory', megabytes!, 'MB');
  checks.add('  documents that differ in two runs', differences!, 'documents', 1);
}

const pipeline = measure('pipeline');
checks.add('64 stages × 512 microbatches, simulated', pipeline.milliseconds!, 'ms', 50);
checks.add('  lowered', pipeline.lowering!, 'ms');
checks.add('  peak resident memory', pipeline.megabytes!, 'MB');
checks.add('  documents that differ in two runs', pipeline.differences!, 'documents', 1);

const reduce = measure('all-reduce');
checks.add(
  '1 GiB all-reduce, 16×16×16, every chip',
  reduce.milliseconds!,
  'ms',
  500,
  `ASTRA-sim 4,200–7,400 ms (${RECORDED})`,
);
checks.add('  peak resident memory', reduce.megabytes!, 'MB', 200, `ASTRA-sim 181 MB (${RECORDED})`);
const apart = 100 * Math.abs(reduce.seconds! / reduce.closedForm! - 1);
checks.add('  from the closed form', apart, '%', 2);
checks.add('  from the folded run', reduce.ticksFromFolded!, 'ticks', 1);
checks.add('  runs that differ', reduce.differences!, 'runs', 1);

const steps = GROWING.map((chips) => ({ chips, ...measure(`step-${chips}`) }) as Record<string, number>);
const step = steps.at(-1)!;
checks.add(
  'step of 8 layers, 1,024 chips, every chip',
  step.milliseconds!,
  'ms',
  4000,
  `ASTRA-sim 37,700 ms after 19,500 ms of trace generation (${RECORDED})`,
);
checks.add('  peak resident memory', step.megabytes!, 'MB', 600, `ASTRA-sim 1,250 MB (${RECORDED})`);
checks.add('  events', step.events!, 'events');
checks.add(
  '  from the folded run, 64 to 1,024 chips',
  Math.max(...steps.map((one) => one.ticksFromFolded!)),
  'ticks',
  1,
);
checks.add('  runs that differ', Math.max(...steps.map((one) => one.differences!)), 'runs', 1);
const { m: power } = linearRegression(steps.map((one) => [Math.log(one.events!), Math.log(one.eventMilliseconds!)]));
checks.add('  time grows with events to the power of', power, '×', 1.15, '1 is linear');

const large = measure('step-4096');
checks.add('step of 8 layers, 4,096 chips, every chip', large.milliseconds!, 'ms', 20_000);
checks.add('  peak resident memory', large.megabytes!, 'MB');
checks.add('  from the folded run', large.ticksFromFolded!, 'ticks', 1);
checks.print('simulating', 'peers');
