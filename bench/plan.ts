/**
 * `npm run bench:plan`: what searches take from the start of their process to its end, on as many threads as there are
 * cores; one that takes over a minute is stopped. Calculon's figures are not measured here: they were recorded on a machine
 * like this one. `-- --json` prints a document instead of the table, `-- --list` every candidate of Calculon's with the plan
 * that it is here.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Checks } from './checks.js';
import { RECORDED, TURING_530B, executions, planOf } from './plan/calculon.js';

const CHILD = fileURLToPath(new URL('./plan/child.js', import.meta.url));

function measure(name: string): Record<string, number> {
  const output = execFileSync(process.execPath, [CHILD, name], { encoding: 'utf8', maxBuffer: 2 ** 20 });
  return JSON.parse(output) as Record<string, number>;
}

function list(): void {
  for (const execution of executions(TURING_530B)) {
    const found = planOf(execution);
    process.stdout.write(`${JSON.stringify(execution)}\t${'lacks' in found ? `lacks ${found.lacks}` : found.plan}\n`);
  }
}

function race(): void {
  const checks = new Checks();
  const theirs = measure('calculon');
  const beside = `Calculon ${RECORDED.seconds} s for ${RECORDED.executions}, of which it rejects ${RECORDED.bad} (recorded)`;
  checks.add("Calculon's candidates, Turing-530B on 5,128 A100", theirs.milliseconds!, 'ms', 1500, beside);
  checks.add('  of the processor', theirs.cpuMilliseconds!, 'ms');
  checks.add('  listed, all microbatch sizes', theirs.listed!, 'plans');
  checks.add('  without a counterpart here', theirs.lacking!, 'plans');
  checks.add('  distinct plans', theirs.candidates!, 'plans');
  checks.add('  that do not fit', theirs.doNotFit!, 'plans');
  const THEIRS = 'Calculon not done in 300 s (recorded)';
  for (const [name, title, first, bound, least, note] of [
    ['vit-22b usual', 'ViT-22B on 1,024 TPU v4, batch 65,536, as `plan` does', 500, 5000, 1, ''],
    ['vit-22b full', 'the same, all values (`--full`)', 500, 5000, 5000, ''],
    ['gpt3-175b usual', 'GPT-3 175B on 4,096 H100, batch 3,072, as `plan` does', undefined, 20_000, 1, THEIRS],
    ['gpt3-175b full', 'the same, all values (`--full`)', undefined, 20_000, 5000, THEIRS],
  ] as const) {
    const found = measure(name);
    const cut = found.cut === 1 ? 'stopped, with the best until then' : note;
    checks.add(title, found.milliseconds!, 'ms', bound, cut);
    checks.add('  of the processor', found.cpuMilliseconds!, 'ms');
    checks.add('  first within 10 % of the best', found.first!, 'ms', first ?? null);
    checks.add('  candidates', found.candidates!, 'plans', [least, Infinity]);
    checks.add('  that do not fit', found.doNotFit!, 'plans');
    checks.add('  excluded by a bound', found.boundedOut!, 'plans');
    checks.add('  simulated', found.simulated!, 'plans');
    checks.add('  on the front of time and memory', found.front!, 'plans');
    checks.add('  peak resident memory', found.megabytes!, 'MB', 1000);
  }
  checks.print('planning', 'peers');
}

if (process.argv.includes('--list')) list();
else race();
