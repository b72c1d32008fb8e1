/**
 * `npm run docs:accuracy -- --runs FILE [--mechanisms]`: predicts the runs of a file and writes the tables of docs/accuracy.md and of the
 * README between their markers, and the errors that test/golden/runs.test.ts goes by. With
 * `--mechanisms`, which predicts everything three times more, also what each mechanism is worth.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { mean } from 'simple-statistics';
import { predictOnThreads } from '../src/cli/validate-pool.js';
import type { Errors, Mechanism, Row, ValidationDocument } from '../src/validate/index.js';
import { MECHANISMS, SET_HEAD, percentCell, readRows, setCells, signedCell, summarize } from '../src/validate/index.js';
import { PUBLICATIONS, rowsOf } from '../test/golden/published/index.js';
import { put, table } from './markdown.js';

function wholeTable({ sets, meanOfSetMeans, yardstickMeanOfSetMeans }: ValidationDocument): string {
  const last = [
    'mean of the means',
    '',
    percentCell(meanOfSetMeans),
    '',
    '',
    '',
    percentCell(yardstickMeanOfSetMeans),
    '',
    '',
    '',
  ];
  return table(SET_HEAD, [...sets.map(setCells), last]);
}

function halvesTable({ sets }: ValidationDocument): string {
  const of = (errors: Errors | null): string[] => [
    String(errors?.count ?? 0),
    percentCell(errors?.mean),
    signedCell(errors?.bias),
  ];
  const head = ['set', 'runs of a', 'mean', 'bias', 'runs of b', 'mean', 'bias'];
  return table(
    head,
    sets.map(({ set, halves }) => [set, ...of(halves.a), ...of(halves.b)]),
  );
}

/** By how much predictions move, on average, without each mechanism. */
async function mechanismsTable(rows: readonly Row[], { sets, rows: usual }: ValidationDocument): Promise<string> {
  const moved = new Map<Mechanism, readonly (number | undefined)[]>();
  for (const mechanism of MECHANISMS) {
    const found = await predictOnThreads(rows, { without: [mechanism] });
    moved.set(
      mechanism,
      found.map(({ predictedStepTimeSeconds: without }, index) => {
        const before = usual[index]!.predictedStepTimeSeconds;
        return without === null || before === null ? undefined : without / before - 1;
      }),
    );
  }
  const lines = sets.map(({ set }) => [
    set,
    ...MECHANISMS.map((mechanism) => {
      const known = moved.get(mechanism)!.filter((value, index) => value !== undefined && usual[index]!.set === set);
      return known.length === 0 ? '–' : signedCell(mean(known as number[]));
    }),
  ]);
  return table(['set', 'nothing computed again', 'one switch', 'nothing overlapped'], lines);
}

function shortTable({ sets, meanOfSetMeans, yardstickMeanOfSetMeans }: ValidationDocument): string {
  const rows = sets.map((result) => {
    const { set, rows: count, predicted, stepTime, yardstick } = result;
    return [
      set,
      `${predicted}/${count}`,
      percentCell(stepTime?.mean),
      signedCell(stepTime?.bias),
      percentCell(yardstick?.mean),
    ];
  });
  const last = ['mean of the means', '', percentCell(meanOfSetMeans), '', percentCell(yardstickMeanOfSetMeans)];
  return table(['set', 'predicted', 'mean error', 'bias', 'one constant'], [...rows, last]);
}

const { values } = parseArgs({ options: { runs: { type: 'string' }, mechanisms: { type: 'boolean' } } });
if (values.runs === undefined) throw new Error('give the measured runs: npm run docs:accuracy -- --runs FILE');
const { rows, unusable } = readRows(values.runs);
const document = summarize(rows, await predictOnThreads(rows), unusable);
await put('docs/accuracy.md', {
  accuracy: wholeTable(document),
  halves: halvesTable(document),
  ...(values.mechanisms === true ? { mechanisms: await mechanismsTable(rows, document) } : {}),
});
await put('README.md', { accuracy: shortTable(document) });
const published = PUBLICATIONS.flatMap(rowsOf);
const errors = summarize(published, await predictOnThreads(published)).sets.map(({ set, stepTime, fits }) => [
  set,
  { mean: Number(stepTime!.mean.toFixed(4)), ...(fits === null ? {} : { fitsRight: fits.right }) },
]);
writeFileSync('test/golden/published/errors.json', `${JSON.stringify(Object.fromEntries(errors), null, 2)}\n`);
process.stdout.write(`docs/accuracy.md and README.md: ${rows.length} runs; errors.json: ${published.length}\n`);
