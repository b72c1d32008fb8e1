/**
 * `npm run docs:uncertainty -- --runs FILE`: predicts measured runs and writes into each stack's profile between which
 * quantiles of measured over predicted step time they lay, every set counting as much. What no set is of gets those of
 * all sets pooled, in `default`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { predictOnThreads } from '../src/cli/validate-pool.js';
import { weightedQuantile } from '../src/calibrate/index.js';
import { hardwareFolder, listStacks } from '../src/hardware/index.js';
import { readRows, summarize } from '../src/validate/index.js';

const { values } = parseArgs({ options: { runs: { type: 'string' } } });
if (values.runs === undefined) throw new Error('give the measured runs: npm run docs:uncertainty -- --runs FILE');
const { rows, unusable } = readRows(values.runs);
const { rows: predicted } = summarize(rows, await predictOnThreads(rows), unusable);

interface Ratio {
  readonly set: string;
  readonly ratio: number;
}
const byStack = new Map<string, Ratio[]>();
for (const { set, stack, measuredStepTimeSeconds: measured, predictedStepTimeSeconds: found } of predicted) {
  if (measured === null || found === null || stack === null) continue;
  byStack.set(stack, [...(byStack.get(stack) ?? []), { set, ratio: measured / found }]);
}
const POOLED = 'default';
byStack.set(POOLED, [...byStack.values()].flat());

const DIGITS = 3;
const day = new Date().toISOString().slice(0, 10);
for (const [stack, ratios] of byStack) {
  if (!listStacks().includes(stack)) continue;
  const sets = [...new Set(ratios.map(({ set }) => set))];
  const weights = ratios.map(({ set }) => 1 / ratios.filter((one) => one.set === set).length);
  const quantile = (of: number): number =>
    weightedQuantile(
      ratios.map(({ ratio }) => ratio),
      weights,
      of,
    );
  const [p10, p50, p90] = [0.1, 0.5, 0.9].map((of) => Number(quantile(of).toFixed(DIGITS))) as [number, number, number];
  const which = stack === POOLED ? `all ${sets.length} sets pooled, since none is of this stack` : sets.join(', ');
  const block = [
    '# `npm run docs:uncertainty` writes this block.',
    'uncertainty:',
    `  value: { p10: ${p10}, p50: ${p50}, p90: ${p90}, runs: ${ratios.length} }`,
    `  source: 'measured over predicted step times of docs/accuracy.md, every set counting as much: ${which}; ${day}'`,
    '  status: fitted',
    '',
  ].join('\n');
  const file = join(hardwareFolder(), 'stacks', `${stack}.yaml`);
  const text = readFileSync(file, 'utf8').replace(/\n# `npm run docs:uncertainty`[\s\S]*$/, '\n');
  writeFileSync(file, text + block);
  process.stdout.write(`${stack}: ${p10} ${p50} ${p90} of ${ratios.length} runs in ${sets.length} sets\n`);
}
